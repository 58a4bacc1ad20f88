"""Ids: each once, and as text."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from projhead.corpora.files import TextFiles
from projhead.corpora.row_ids import RowIds


def test_many_ids_are_told_apart_and_one_that_comes_again_is_found_with_both_rows() -> None:
    check = RowIds("docs", "id")
    assert [check(f"doc {number}", number) for number in range(20_000)] == [f"doc {n}" for n in range(20_000)]
    for row in (0, 777, 19_999):
        with pytest.raises(ValueError, match=rf"docs, row 20000: .* 'doc {row}' again, which row {row} has"):
            check(f"doc {row}", 20_000)
    assert check("doc 20000", 20_000) == "doc 20000"


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (["a", "b", "a"], "row 2: column 'id': got the id 'a' again, which row 0 has"),
        ([1, "b", "1"], "row 2: column 'id': got the id '1' again, which row 0 has .*1 and '1' are one id"),
        (["a", None], "row 1: column 'id': expected an id, text or a whole number, got None"),
        (["a", ""], "row 1: column 'id': expected an id, text or a whole number, got ''"),
        (["a", {"b": 1}], "row 1: .* got {'b': 1}"),
        (["a", 1.0], "row 1: .* got 1.0"),
        (["a", True], "row 1: .* got True"),
        (["\ud800", "\ud801"], r"row 0: column 'id': expected an id in UTF-8, got '\\ud800'"),
    ],
)
def test_ids_that_name_no_document_or_two_are_refused(tmp_path: Path, values: list[object], message: str) -> None:
    lines = [json.dumps({"id": value, "text": f"text {row}"}) for row, value in enumerate(values)]
    (tmp_path / "docs.jsonl").write_text("\n".join(lines))
    with pytest.raises(ValueError, match=message):
        list(TextFiles(str(tmp_path / "docs.jsonl"), id_column="id", skip_bad=True).documents("all"))


def test_whole_numbers_are_ids(tmp_path: Path) -> None:
    pd.DataFrame({"id": [7, 3, 10**15], "text": ["a", "b", "c"]}).to_parquet(tmp_path / "docs.parquet")
    found = TextFiles(str(tmp_path / "docs.parquet"), id_column="id").documents("all")
    assert [one.id for one in found] == ["7", "3", "1000000000000000"]
