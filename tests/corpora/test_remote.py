from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import fsspec
import pandas as pd
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from projhead import read_texts
from projhead.corpora.readers import read_rows

TEXTS = ["one ü", "two", "three"]
ROWS = [{"id": str(number), "text": text} for number, text in enumerate(TEXTS)]
FILES = {
    "texts.txt": "\n".join(TEXTS),
    "rows.jsonl": "\n".join(map(json.dumps, ROWS)),
    "rows.json": json.dumps(ROWS),
    "rows.csv": pd.DataFrame(ROWS).to_csv(index=False),
    "rows.tsv": pd.DataFrame(ROWS).to_csv(index=False, sep="\t"),
}


@pytest.fixture
def bucket() -> Iterator[str]:
    """A folder of a file system that is no disk's."""
    url = "memory://bucket/texts"
    for name, text in FILES.items():
        with fsspec.open(f"{url}/{name}", "w", encoding="utf-8", newline="") as file:
            file.write(text)
    with fsspec.open(f"{url}/rows.parquet", "wb") as file:
        pd.DataFrame(ROWS).to_parquet(file)
    yield url
    MemoryFileSystem.store.clear()


@pytest.mark.parametrize("name", [*FILES, "rows.parquet"])
def test_a_url_is_read_as_the_same_file_on_disk_is(bucket: str, name: str, tmp_path: Path) -> None:
    with fsspec.open(f"{bucket}/{name}", "rb") as file:
        (tmp_path / name).write_bytes(file.read())
    columns = ["text"] if name == "texts.txt" else ["id", "text"]
    found = list(read_rows(f"{bucket}/{name}", columns))
    assert found == list(read_rows(str(tmp_path / name), columns))
    assert [row["text"] for row in found] == TEXTS


def test_folders_and_globs_are_of_one_ending(bucket: str) -> None:
    with fsspec.open("memory://bucket/parts/a.jsonl", "w") as file:
        file.write(json.dumps({"text": "a"}))
    with fsspec.open("memory://bucket/parts/b.jsonl", "w") as file:
        file.write(json.dumps({"text": "b"}))
    with fsspec.open("memory://bucket/parts/README.md", "w") as file:
        file.write("no texts")
    for path in ("memory://bucket/parts", "memory://bucket/parts/*.jsonl"):
        assert [document.text for document in read_texts(path)] == ["a", "b"]
    with pytest.raises(ValueError, match=r"expected files with one ending"):
        list(read_rows(bucket, []))
    with pytest.raises(ValueError, match=r"expected files with one ending .* got \.jsonl, \.md"):
        list(read_rows("memory://bucket/parts/*", []))


def test_what_is_not_there_and_what_cannot_be_read_are_told(bucket: str) -> None:
    with pytest.raises(FileNotFoundError, match=r"memory://bucket/none\.jsonl: no such file"):
        list(read_rows("memory://bucket/none.jsonl", []))
    with pytest.raises(ValueError, match=r"memory:///?bucket/texts/rows\.jsonl, after 0 rows: .* column 'body'"):
        list(read_rows(f"{bucket}/rows.jsonl", ["body"]))
    with pytest.raises(ValueError, match=r"nowhere://"):
        list(read_rows("nowhere://bucket/rows.jsonl", []))
    with pytest.raises(OSError, match=r"http://127\.0\.0\.1:9/rows\.jsonl cannot be read: .*; check the address"):
        list(read_rows("http://127.0.0.1:9/rows.jsonl", []))
