from __future__ import annotations

from pathlib import Path

import pytest

from projhead.corpora.tables import read_columns


def test_values_of_csv_are_text_as_it_is_written(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("text,label,score\nNA,01,0.5\nnull,,2\n")
    frame = read_columns(tmp_path / "t.csv", ["text", "label"])
    assert frame["text"].tolist() == ["NA", "null"]
    assert frame["label"].isna().tolist() == [False, True]
    assert frame["label"][0] == "01"
    assert frame["score"].tolist() == ["0.5", "2"]


def test_a_file_is_found_in_a_folder_by_its_name(tmp_path: Path) -> None:
    (tmp_path / "test.tsv").write_text("a\tb\n1\t2\n")
    assert read_columns(tmp_path, ["a", "b"], "test").to_numpy().tolist() == [["1", "2"]]
    with pytest.raises(FileNotFoundError, match="expected a file train ending in one of"):
        read_columns(tmp_path, ["a"], "train")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("t.xls", b"x", "expected one of the endings"),
        ("t.csv", b"a,b\n1,2\n3\n", "t.csv, after 1 rows: line 3: expected 2 values, as in the header, got 1"),
        ("t.tsv", b"a\tb\n1\t2\t3\n", "line 2: expected 2 values, as in the header, got 3"),
        ("t.tsv", b"a\ta\n1\t2\n", "line 1: expected different names of columns, got 'a' twice"),
        ("t.jsonl", b'{"a": 1}\n{"a": 1, "a": 2}\n', "line 2: got the key 'a' twice in one object"),
        ("t.parquet", b"x", "t.parquet cannot be read"),
        ("t.jsonl", b"{", "t.jsonl, after 0 rows: line 1: Expecting"),
        ("t.csv", b"x\n1\n", "expected a column 'a', got 'x'; name yours"),
    ],
)
def test_what_cannot_be_read_is_refused(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=message):
        read_columns(tmp_path / name, ["a"])
