"""The pages: their Python runs, their commands compose (see test_conf), the front page stays short."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from projhead.vectors import Vectors

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
PAGES = sorted((ROOT / "docs").rglob("*.md"))
PYTHON = [page for page in PAGES if "```python" in page.read_text(encoding="utf-8")]


def test_the_front_page_is_short_and_what_it_points_to_is_there() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 130
    for page in [ROOT / "README.md", *PAGES]:
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page}: {target}"


@pytest.mark.parametrize(
    "page", [page for page in PAGES if "```python" in page.read_text()], ids=lambda page: page.stem
)
def test_the_python_of_a_page_runs(page: Path, rows: Vectors, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    pairs = np.stack([np.arange(40), np.arange(40)], axis=1)
    given: dict[str, Any] = {"X": rows[:400], "Q": rows[400:], "P": pairs}
    for block in re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL):
        exec(block, given)


def test_picture_and_table_are_of_what_is_measured() -> None:
    code = "import results as r; rows = r.widest(r.read_results(r.ROOT / 'docs/results/retrieval.jsonl'))"
    code += "; print(r.picture(r.means(rows))); print(r.readme_table(rows))"
    run = [sys.executable, "-c", code]
    made = subprocess.run(run, cwd=ROOT / "scripts" / "docs", capture_output=True, text=True, check=True).stdout
    drawn, table = made.split("</svg>")
    assert "<svg" in drawn
    assert table.strip() in (ROOT / "README.md").read_text(encoding="utf-8")
