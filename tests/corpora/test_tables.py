from __future__ import annotations

from pathlib import Path

import pytest

from projhead.corpora.tables import read_columns


def test_words_stay_words_and_numbers_numbers(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("text,label,score\nNA,1,0.5\nnull,,2\n")
    frame = read_columns(tmp_path / "t.csv", ["text", "label"])
    assert frame["text"].tolist() == ["NA", "null"]
    assert frame["label"].isna().tolist() == [False, True]
    assert frame["score"].tolist() == [0.5, 2.0]


def test_a_file_is_found_in_a_folder_by_its_name(tmp_path: Path) -> None:
    (tmp_path / "test.tsv").write_text("a\tb\n1\t2\n")
    assert read_columns(tmp_path, ["a", "b"], "test").to_numpy().tolist() == [[1, 2]]
    with pytest.raises(FileNotFoundError, match="expected a file train ending in one of"):
        read_columns(tmp_path, ["a"], "train")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("t.xls", b"x", "expected one of the endings"),
        ("t.parquet", b"x", "t.parquet cannot be read"),
        ("t.jsonl", b"{", "t.jsonl cannot be read"),
        ("t.csv", b"x\n1\n", r"expected the columns \['a'\], got \['x'\]"),
    ],
)
def test_what_cannot_be_read_is_refused(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=message):
        read_columns(tmp_path / name, ["a"])
