"""What docstrings show runs, and gives what they say."""

from __future__ import annotations

import doctest
from pathlib import Path

import pytest

import projhead as ph

SHOWN = [name for name in ph.__all__ if ">>>" in (getattr(ph, name).__doc__ or "")]


def test_the_face_shows_how_it_is_used() -> None:
    assert {"PCA", "LearnedReducer", "embed", "Collection", "compare", "assemble", "export", "load_encoder",
            "load_reducer"} <= set(SHOWN)  # fmt: skip


@pytest.mark.parametrize("name", SHOWN)
def test_what_a_docstring_shows_runs(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (found,) = doctest.DocTestFinder(recurse=False).find(getattr(ph, name), name, globs={})
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
    said: list[str] = []
    runner.run(found, out=said.append)
    assert not runner.failures, "".join(said)
