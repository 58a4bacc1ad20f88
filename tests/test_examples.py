"""The notebooks run, cell by cell, on fewer texts and for fewer steps than they show."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow

EXAMPLES = sorted((Path(__file__).parents[1] / "examples").glob("*.ipynb"))
#: What is made smaller, and how small.
_SMALLER = [
    (r"max_test=\d+", "max_test=130"),
    (r"500", "90"),
    (r"max_steps=\d+", "max_steps=4"),
    (r"n_queries=100", "n_queries=20"),
]


def test_there_are_two() -> None:
    assert [path.stem for path in EXAMPLES] == ["pca_replacement", "vectors_to_index"]


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_a_notebook_runs(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    for cell in cells:
        if cell["cell_type"] == "code":
            source = "".join(cell["source"])
            for shown, smaller in _SMALLER:
                source = re.sub(shown, smaller, source)
            exec(source, names)
    assert sum(cell["cell_type"] == "code" and bool(cell["outputs"]) for cell in cells) >= 4, "outputs are kept"
