from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import datasets
import pandas as pd
import pytest

from projhead.collection import Collection
from projhead.corpora.files import TextFiles
from projhead.data import Document
from projhead.protocols import Encoder
from projhead.store.embed import embed

TEXTS = ["plain", 'with "quotes", commas', "a tab\tinside", "Ünïcödé 東京 🙂", "separator\u2028inside", "null", "0012"]
DOCUMENTS = [Document(f"id{i}", text) for i, text in enumerate(TEXTS)]


def _write(folder: Path, kind: str) -> str:
    frame = pd.DataFrame({"key": [one.id for one in DOCUMENTS], "body": TEXTS, "other": 1.5})
    path = folder / f"docs.{kind}"
    if kind == "parquet":
        frame.to_parquet(path)
    elif kind in ("csv", "tsv"):
        frame.to_csv(path, index=False, sep="," if kind == "csv" else "\t")
    elif kind == "jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in frame.to_dict("records")) + "\n")
    elif kind == "json":
        path.write_text(json.dumps(frame.to_dict("records"), ensure_ascii=False), encoding="utf-8")
    else:
        datasets.Dataset.from_pandas(frame).save_to_disk(path)
    return str(path)


@pytest.mark.parametrize("kind", ["parquet", "csv", "tsv", "jsonl", "json", "saved"])
def test_every_format_gives_the_same_documents(tmp_path: Path, kind: str) -> None:
    corpus = TextFiles(_write(tmp_path, kind), column="body", id_column="key")
    assert list(corpus.documents("all")) == DOCUMENTS
    assert corpus.name == "docs"


@pytest.mark.parametrize("kind", ["parquet", "csv", "jsonl", "json", "saved"])
def test_columns_that_are_asked_for_are_kept(tmp_path: Path, kind: str) -> None:
    corpus = TextFiles(_write(tmp_path, kind), column="body", columns=["other", "key"])
    number = "1.5" if kind == "csv" else 1.5
    assert [dict(one.columns) for one in corpus.documents("all")] == [
        {"other": number, "key": one.id} for one in DOCUMENTS
    ]
    assert {name: str(kind) for name, kind in corpus.columns.items()} == {
        "other": "string" if kind == "csv" else "double",
        "key": "string",
    }


def test_kept_columns_come_back_from_search_and_filter_it(tmp_path: Path, teacher: Encoder) -> None:
    rows = [
        {"text": f"boat {n}", "year": 2000 + n, "tags": ["red"] if n % 2 else None, "empty": None} for n in range(6)
    ]
    (tmp_path / "docs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    corpus = TextFiles(str(tmp_path / "docs.jsonl"), columns=["year", "tags", "empty"])
    store = embed(teacher, corpus, out=tmp_path / "store", show_progress=False)
    assert store.columns == ["year", "tags", "empty"]
    found = Collection.build(store, "exact").search("boat 3", 6, where={"year": {"min": 2004}})
    assert {hit.id: dict(hit.columns) for hit in found} == {
        "4": {"year": 2004, "tags": None, "empty": None},
        "5": {"year": 2005, "tags": ["red"], "empty": None},
    }


def test_columns_that_cannot_be_kept_are_refused(tmp_path: Path, teacher: Encoder) -> None:
    path = tmp_path / "docs.jsonl"
    path.write_text('{"text": "a", "x": 1}\n{"text": "b", "x": "two"}\n')
    with pytest.raises(ValueError, match=r"columns: expected values of one type in 'x'; "):
        embed(teacher, TextFiles(str(path), columns=["x"]), out=tmp_path / "store", show_progress=False)
    with pytest.raises(ValueError, match=r"expected a column 'y', got 'text', 'x'; name yours: corpus\.columns=NAME"):
        list(TextFiles(str(path), columns=["y"]).documents("all"))
    with pytest.raises(ValueError, match=r"columns: expected other names than those that stores use, got id, text"):
        TextFiles(str(path), columns=["x", "text", "id"])
    with pytest.raises(ValueError, match=r"columns: standard input has none but text, got x; use a file"):
        TextFiles("-", columns=["x"])


def test_lines_are_texts(tmp_path: Path) -> None:
    (tmp_path / "docs.txt").write_bytes("\ufeff".encode() + "\r\n".join(TEXTS).encode())
    assert [one.text for one in TextFiles(str(tmp_path / "docs.txt")).documents("all")] == TEXTS


def test_standard_input_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO("\n".join(TEXTS).encode())))
    corpus = TextFiles("-")
    with pytest.raises(ValueError, match="only once: expected split=all, got 'train'"):
        corpus.documents("train")
    assert [one.text for one in corpus.documents("all")] == TEXTS


def test_folders_and_globs_are_read_in_order_of_name_and_numbered_through(tmp_path: Path) -> None:
    for name, text in (("b", "two"), ("a", "one"), ("c", "three")):
        (tmp_path / f"{name}.txt").write_text(text + "\n")
    expected = [Document("0", "one"), Document("1", "two"), Document("2", "three")]
    assert list(TextFiles(str(tmp_path)).documents("all")) == expected
    assert list(TextFiles(str(tmp_path / "[ab].txt")).documents("all")) == expected[:2]
    some = list(TextFiles(str(tmp_path), max_documents=2).documents("all"))
    assert len(some) == 2
    assert some == [document for document in expected if document in some]


def test_texts_are_on_the_side_of_the_split_that_they_have_alone(tmp_path: Path) -> None:
    (tmp_path / "docs.txt").write_text("".join(f"text {i}\n" for i in range(500)))
    corpus = TextFiles(str(tmp_path / "docs.txt"), test_fraction=0.3)
    train, test = (list(corpus.documents(split)) for split in ("train", "test"))
    assert sorted(train + test, key=lambda one: int(one.id)) == list(corpus.documents("all"))
    assert len(test) == pytest.approx(150, abs=40)
    alone = TextFiles(str(tmp_path / "docs.txt"), test_fraction=0.3, max_documents=50)
    assert set(alone.documents("test")) <= set(test)


def test_a_file_is_read_as_it_is_needed(tmp_path: Path) -> None:
    path = tmp_path / "docs.jsonl"
    path.write_text('{"text": "good"}\n' * 3 + '{"text": "cut of')
    stream = TextFiles(str(path)).documents("all")
    assert [next(stream).text for _ in range(3)] == ["good"] * 3
    with pytest.raises(ValueError, match=r"docs.jsonl, after 3 rows: "):
        next(stream)


@pytest.mark.parametrize(
    ("name", "content", "error", "message"),
    [
        ("docs.txt", None, FileNotFoundError, "no such file"),
        ("docs.pdf", b"x", ValueError, r"ending of .txt, .jsonl, .json, .csv, .tsv, .parquet, got .pdf"),
        ("docs.txt", b"", ValueError, "expected texts, got none"),
        ("docs.csv", b"", ValueError, "expected a line with the names of the columns, got none"),
        ("docs.csv", b"title,body\na,b\n", ValueError, "got 'title', 'body'; name yours: corpus.column=NAME"),
        ("docs.csv", b"text,b\n1,2\n1,2,3,4\n", ValueError, "line 3: expected 2 values, as in the header, got 4"),
        ("docs.csv", b"id,text\n1,a\n2,b,c\n", ValueError, "after 1 rows: line 3: expected 2 values, .* got 3"),
        ("docs.csv", b'id,text\n1,"a\nb"\n2\n', ValueError, "line 4: expected 2 values, .* got 1"),
        ("docs.tsv", b"text\tid\ttext\na\tb\tc\n", ValueError, "line 1: expected different .* 'text' twice"),
        ("docs.csv", b'id,text\n1,"a" b\n', ValueError, "line 2: ',' expected after"),
        ("docs.csv", b'id,text\n1,"never closed\n', ValueError, "line 2: unexpected end of data"),
        ("docs.jsonl", b'{"text": "a"}\n{"text": "b", "text": "c"}\n', ValueError, "line 2: got the key 'text' twice"),
        ("docs.json", b'[{"text": "b", "text": "c"}]', ValueError, "got the key 'text' twice in one object"),
        ("docs.json", b"[" * 100_000, ValueError, "docs.json, after 0 rows: got JSON nested too deeply"),
        ("docs.jsonl", b'{"text": ' + b"[" * 100_000, ValueError, "after 0 rows: got JSON nested too deeply"),
        ("docs.parquet", b"PAR1 not really", ValueError, "docs.parquet"),
        ("docs.jsonl", b'["text"]\n', ValueError, "expected an object with columns"),
        (
            "docs.jsonl",
            b'{"text": "a"}\n{"body": "b"}\n',
            ValueError,
            "after 1 rows: expected a column 'text', got 'body'",
        ),
        ("docs.jsonl", b'{"text": 3}\n', ValueError, "row 0: expected text in column 'text', got 3"),
        ("docs.json", b'[{"text": "a"}', ValueError, "docs.json"),
    ],
)
def test_what_cannot_be_read_is_refused(
    tmp_path: Path, name: str, content: bytes | None, error: type[Exception], message: str
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(error, match=message):
        list(TextFiles(str(tmp_path / name)).documents("all"))


def test_mixed_endings_and_split_folders_are_refused(tmp_path: Path) -> None:
    _write(tmp_path, "csv")
    _write(tmp_path, "jsonl")
    with pytest.raises(ValueError, match=r"one ending .* got .csv, .jsonl"):
        list(TextFiles(str(tmp_path)).documents("all"))
    splits = datasets.DatasetDict({"train": datasets.Dataset.from_dict({"text": TEXTS})})
    splits.save_to_disk(tmp_path / "splits")
    with pytest.raises(ValueError, match="got the splits train: name the folder of one"):
        list(TextFiles(str(tmp_path / "splits")).documents("all"))


@pytest.mark.parametrize("kind", ["txt", "csv", "tsv", "jsonl"])
def test_other_encodings_are_read_when_named_and_left_out_when_asked(tmp_path: Path, kind: str) -> None:
    header, rows = "text\tid" if kind == "tsv" else "text,id", ["Žluťoučký kůň", "plain", "à côté"]
    lines = {
        "txt": rows, "csv": [header, *(f"{row},1" for row in rows)], "tsv": [header, *(f"{row}\t1" for row in rows)],
        "jsonl": [json.dumps({"text": row}, ensure_ascii=False) for row in rows],
    }[kind]  # fmt: skip
    for encoding in ("latin-1", "utf-16"):
        good = [row for row in rows if encoding != "latin-1" or row != rows[0]]
        text = "\n".join(line for line in lines if encoding != "latin-1" or rows[0] not in line)
        path = tmp_path / f"{encoding}.{kind}"
        path.write_bytes(text.encode(encoding))
        assert [one.text for one in TextFiles(str(path), encoding=encoding).documents("all")] == good
    path = str(tmp_path / f"latin-1.{kind}")
    with pytest.raises(ValueError, match=r"got 1 non-UTF-8 texts .*name their encoding \(corpus.encoding=latin-1\)"):
        list(TextFiles(path).documents("all"))
    assert [one.text for one in TextFiles(path, skip_bad=True).documents("all")] == ["plain"]
    with pytest.raises(ValueError, match="encoding: expected a name such as utf-8, latin-1 or cp1252, got 'klingon'"):
        list(TextFiles(path, encoding="klingon").documents("all"))
