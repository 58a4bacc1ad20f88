from __future__ import annotations

import tempfile
from pathlib import Path

import pyarrow as pa
import pytest

from projhead.corpora.text_column import TextColumn

TEXTS = ["one", "", "two ü", "one", "lone \ud800 surrogate", "two ü", "three"]


def test_it_is_the_list_and_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr("projhead.corpora.text_column._BLOCK", 3)
    column = TextColumn(iter(TEXTS))
    assert not list(tmp_path.iterdir())
    assert (list(column), len(column), column[2], column[-1]) == (TEXTS, 7, "two ü", "three")
    assert (column[1:5], column[:0], column[::3]) == (TEXTS[1:5], [], TEXTS[::3])
    with pytest.raises(IndexError):
        column[7]
    assert list(TextColumn([])) == []
    assert not TextColumn([])


def test_repetitions_go_and_first_places_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("projhead.corpora.text_column._BLOCK", 3)
    found, numbers = TextColumn(TEXTS).once()
    assert (list(found), numbers.tolist()) == ([*dict.fromkeys(TEXTS)], [0, 1, 2, 4, 6])
    assert found.once()[1].tolist() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string()])
def test_a_column_of_strings_is_taken_as_it_is(kind: pa.DataType) -> None:
    texts = pa.chunked_array([["one", "two ü"], ["three"]], kind)
    assert list(TextColumn(texts)) == ["one", "two ü", "three"]
