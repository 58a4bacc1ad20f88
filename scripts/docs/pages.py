"""What mkdocs does before it builds: the front page is the README, results come of docs/results/*.jsonl."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[2]


def on_files(files: Files, config: Any) -> Files:
    """Add the pages that are made and not written."""
    sys.path[:0] = [str(ROOT / "src"), str(Path(__file__).parent)]
    from results import results_page

    readme = (ROOT / "README.md").read_text(encoding="utf-8").replace("](docs/", "](")
    for name in (r"CONTRIBUTING\.md", r"CHANGELOG\.md", r"examples/[^)]*"):  # of the repository, not of the site
        readme = re.sub(rf"\[([^]]*)\]\({name}\)", r"\1", readme)
    for place, text in (("index.md", readme), ("results/index.md", results_page(ROOT / "docs" / "results"))):
        files.append(File.generated(config, place, content=text))
    return files
