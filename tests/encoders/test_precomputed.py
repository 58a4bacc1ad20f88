from __future__ import annotations

import hashlib
import json
import tracemalloc
from itertools import islice
from pathlib import Path

import datasets
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import torch
from pyarrow import feather
from safetensors.numpy import save_file
from safetensors.torch import save_file as save_torch

from projhead.collection import Collection
from projhead.corpora.files import TextFiles
from projhead.data import Document, RowText
from projhead.encoders.precomputed import Precomputed
from projhead.encoders.reduced import Reduced
from projhead.persistence.registry import build, spec_of
from projhead.reducers.base import load_reducer
from projhead.reducers.pca import PCA
from projhead.reducers.truncation import Truncation
from projhead.store.embed import embed
from projhead.store.write import write_store
from projhead.vectors import Vectors, unit_rows


def _write(path: Path, vectors: Vectors) -> str:
    if path.suffix == ".npy":
        np.save(path, vectors)
    elif path.suffix == ".safetensors":
        save_file({"embedding": vectors, "other": vectors[:1]}, path)
    else:
        pd.DataFrame({"embedding": list(vectors), "id": range(len(vectors))}).to_parquet(path)
    return str(path)


@pytest.mark.parametrize("suffix", [".npy", ".safetensors", ".parquet"])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_every_format_gives_the_rows_of_its_texts(tmp_path: Path, rows: Vectors, suffix: str, dtype: type) -> None:
    vectors = (3 * rows[:5]).astype(dtype)  # of any length
    (tmp_path / "texts.txt").write_text("zero\none\ntwo\nthree\nfour\n")
    encoder = Precomputed(_write(tmp_path / f"v{suffix}", vectors), texts=str(tmp_path / "texts.txt"))
    np.testing.assert_array_equal(encoder.rows, vectors)
    np.testing.assert_array_equal(encoder.encode(["three", "zero", "three"]), unit_rows(vectors[[3, 0, 3]]))
    texts = encoder.texts_or_rows()
    assert list(texts) == ["zero", "one", "two", "three", "four"]
    assert [(text, text.row) for text in (texts[3], texts[-1], *texts[1:2])] == [("three", 3), ("four", 4), ("one", 1)]
    assert (encoder.name, encoder.dimension) == ("v", 32)


def test_other_floats_names_and_tables_are_read(tmp_path: Path, rows: Vectors) -> None:
    halves = torch.from_numpy(rows[:9]).bfloat16()
    save_torch({"vectors": halves}, tmp_path / "v.safetensors")
    table = pa.table({"id": [*"abcdefghi"], "v": pa.array(rows[:9].tolist(), pa.large_list(pa.float32()))})
    feather.write_feather(table, tmp_path / "v.feather")
    with pa.OSFile(str(tmp_path / "v.arrow"), "wb") as sink, pa.ipc.new_stream(sink, table.schema) as out:
        out.write_table(table)
    lines = [json.dumps({"id": f"{n}", "embedding": row.tolist()}) for n, row in enumerate(rows[:9])]
    (tmp_path / "v.jsonl").write_text("\n".join(lines))
    strings = [json.dumps(row.tolist()) for row in rows[:9]]
    pd.DataFrame({"embedding": strings}).to_parquet(tmp_path / "v.parquet")
    np.testing.assert_array_equal(Precomputed(str(tmp_path / "v.safetensors")).rows, halves.float().numpy())
    for name in ("v.feather", "v.arrow", "v.jsonl", "v.parquet"):
        np.testing.assert_allclose(Precomputed(str(tmp_path / name)).rows, rows[:9], atol=1e-7)
    assert [one.id for one in Precomputed(str(tmp_path / "v.arrow")).documents("all")] == [*"abcdefghi"]
    with pytest.raises(ValueError, match=r"column 'w', got the columns 'id', 'v'"):
        Precomputed(str(tmp_path / "v.arrow"), column="w")


def test_one_table_is_vectors_corpus_and_what_else_is_known(tmp_path: Path, rows: Vectors) -> None:
    year, tags = [2001 + n % 3 for n in range(30)], [["x"] * (n % 3) for n in range(30)]
    texts = ["same" if n % 2 else f"text {n}" for n in range(30)]  # half of them are one text, of different vectors
    frame = {"id": [f"d{n}" for n in range(30)], "text": texts, "year": year, "tags": tags}
    pd.DataFrame({**frame, "embedding": list(rows[:30])}).to_parquet(tmp_path / "api.parquet")
    encoder = Precomputed(str(tmp_path / "api.parquet"))
    assert encoder.has_texts
    assert {name: str(kind) for name, kind in encoder.columns.items()} == {
        "year": "int64",
        "tags": "list<element: string>",
    }
    store = embed(encoder, out=tmp_path / "store", shard_rows=8, dtype="float32", show_progress=False)
    np.testing.assert_array_equal(store.rows, unit_rows(rows[:30]))
    assert (store.ids, store.texts, store.columns) == (frame["id"], texts, ["year", "tags"])
    assert store.table.select(store.columns).to_pydict() == {"year": year, "tags": tags}
    assert datasets.load_from_disk(str(tmp_path / "store")).column_names == ["id", "text", "year", "tags", "embedding"]
    hit = Collection.build(store, "exact").search(rows[7])[0]
    assert (hit.id, hit.text, dict(hit.columns)) == ("d7", "same", {"year": 2002, "tags": ["x"]})
    found = Collection.build(store, "exact").search(rows[7], where={"year": [2001, 2003]})
    expected = np.argsort(-(unit_rows(rows[:30]) @ unit_rows(rows[7:8])[0]))
    assert [hit.id for hit in found] == [f"d{n}" for n in expected if year[n] != 2002][:10]
    again = embed(Precomputed(encoder.path), out=tmp_path / "store", shard_rows=8, dtype="float32", show_progress=False)
    assert len(again) == 30
    other = pd.DataFrame({**frame, "year": [1] * 30, "embedding": list(rows[:30])})
    other.to_parquet(tmp_path / "api.parquet")
    with pytest.raises(ValueError, match=r"a file of vectors is known by its bytes"):
        embed(Precomputed(encoder.path), out=tmp_path / "store", shard_rows=8, dtype="float32", show_progress=False)


def test_columns_are_named_by_whoever_calls_them_otherwise(tmp_path: Path, rows: Vectors) -> None:
    frame = pd.DataFrame({"key": [*"abc"], "body": ["x", "y", "z"], "id": [1, 2, 3], "embedding": list(rows[:3])})
    frame.to_parquet(tmp_path / "v.parquet")
    with pytest.raises(ValueError, match=r"a store has a column 'id' of its own; rename the file's, or take it as"):
        list(Precomputed(str(tmp_path / "v.parquet"), id_column="key").documents("all"))
    with pytest.raises(ValueError, match=r"expected a column 'words', got 'key', 'body', 'id'"):
        list(Precomputed(str(tmp_path / "v.parquet"), text_column="words").documents("all"))
    frame.rename(columns={"id": "number"}).to_parquet(tmp_path / "v.parquet")
    encoder = Precomputed(str(tmp_path / "v.parquet"), id_column="key", text_column="body")
    found = [(one.id, one.text, one.columns) for one in encoder.documents("all")]
    assert found == [("a", "x", {"number": 1}), ("b", "y", {"number": 2}), ("c", "z", {"number": 3})]
    np.testing.assert_allclose(encoder.encode(["z"]), unit_rows(rows[2:3]))


def test_npy_is_memory_mapped(tmp_path: Path, rows: Vectors) -> None:
    assert isinstance(Precomputed(_write(tmp_path / "v.npy", rows)).rows, np.memmap)


def test_without_texts_rows_stand_for_themselves(tmp_path: Path, rows: Vectors) -> None:
    encoder = Precomputed(_write(tmp_path / "v.npy", rows))
    names = encoder.texts_or_rows()
    np.testing.assert_allclose(encoder.encode(names[10:20]), rows[10:20], atol=1e-6)
    # The same vector elsewhere has the same name, so both are on one side of a split.
    assert list(Precomputed(_write(tmp_path / "w.npy", rows[::-1])).texts_or_rows()) == names[::-1]


def test_texts_may_be_a_column(tmp_path: Path, rows: Vectors) -> None:
    (tmp_path / "t.jsonl").write_text("".join(json.dumps({"id": i, "text": f"text {i}"}) + "\n" for i in range(600)))
    encoder = Precomputed(_write(tmp_path / "v.npy", rows), texts=str(tmp_path / "t.jsonl"))
    np.testing.assert_allclose(encoder.encode(["text 7"]), rows[7:8], atol=1e-6)


def test_identity_is_of_the_content_and_a_record_builds_it_again(
    tmp_path: Path, rows: Vectors, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = _write(tmp_path / "v.npy", rows)
    monkeypatch.chdir(tmp_path)
    encoder = Precomputed("v.npy", name="api")
    monkeypatch.chdir("/")
    again = build(spec_of(encoder), "encoder")
    assert (again.name, again.identity) == ("api", encoder.identity)
    rows = rows.copy()
    rows[0, 0] += 1e-6
    np.save(path, rows)
    assert Precomputed(path).identity != encoder.identity


def test_rows_without_texts_are_encoded_without_a_list_of_them(tmp_path: Path) -> None:
    vectors = np.random.default_rng(0).normal(size=(20_000, 4)).astype(np.float32)
    encoder = Precomputed(_write(tmp_path / "v.npy", vectors))
    tracemalloc.start()
    stream = encoder.documents("all")
    while documents := list(islice(stream, 1000)):
        found = encoder.encode_document([one.text for one in documents])
        np.testing.assert_array_equal(found, unit_rows(vectors[[int(one.id) for one in documents]]))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 64 * len(vectors)  # what the digests alone would take
    # Texts that know no row are still found, and those that say a wrong one.
    name = encoder.texts_or_rows()[7]
    for text in (str(name), RowText(name, name.source, 3), RowText(name, "elsewhere.npy", 5)):  # type: ignore[attr-defined]
        np.testing.assert_array_equal(encoder.encode([text]), unit_rows(vectors[[7]]))


@pytest.fixture
def same(tmp_path: Path) -> Path:
    """Three rows, the texts of two of which are one."""
    np.save(tmp_path / "v.npy", np.eye(3, dtype=np.float32))
    texts = [{"key": key, "text": text} for key, text in (("x", "same"), ("y", "other"), ("z", "same"))]
    (tmp_path / "t.jsonl").write_text("\n".join(map(json.dumps, texts)))
    return tmp_path


@pytest.mark.parametrize("of", ["own rows", "file", "reduced"])
def test_vectors_belong_to_rows_not_to_texts(same: Path, of: str) -> None:
    encoder = Precomputed(str(same / "v.npy"), texts=str(same / "t.jsonl"), id_column="key")
    corpus = TextFiles(str(same / "t.jsonl"), id_column="key") if of == "file" else encoder
    reduced = Reduced(encoder, Truncation(2).fit(np.eye(3))) if of == "reduced" else encoder
    store = write_store(same / "store", reduced, corpus.documents("all"), shard_rows=2, dtype="float32")
    np.testing.assert_array_equal(store.rows, np.eye(3)[:, : store.dimension])
    assert (store.ids, store.texts) == (["x", "y", "z"], ["same", "other", "same"])


def test_a_text_alone_is_refused_where_its_rows_differ(same: Path) -> None:
    encoder = Precomputed(str(same / "v.npy"), texts=str(same / "t.jsonl"))
    stranger = RowText("same", str(same / "elsewhere.jsonl"), 2)
    for text in ("same", stranger):
        with pytest.raises(ValueError, match=r"different vectors of the text 'same', in rows 0 and 2: a vector belong"):
            encoder.encode([text])
    np.testing.assert_array_equal(encoder.encode(["other"]), [[0, 1, 0]])
    np.save(same / "v.npy", np.float32([[1, 0], [0, 1], [1, 0]]))
    again = Precomputed(str(same / "v.npy"), texts=str(same / "t.jsonl"))
    np.testing.assert_array_equal(again.encode(["same"]), [[1, 0]])  # rows that agree


def test_ids_come_from_the_file_of_vectors_or_are_row_numbers(tmp_path: Path, rows: Vectors) -> None:
    path = _write(tmp_path / "v.parquet", rows[:4])
    assert [one.id for one in Precomputed(path).documents("all")] == ["0", "1", "2", "3"]
    pd.DataFrame({"embedding": list(rows[:2]), "id": ["a", "a"]}).to_parquet(path)
    with pytest.raises(ValueError, match="row 1: column 'id': got the id 'a' again, which row 0 has"):
        Precomputed(path, id_column="id").documents("all")


def test_ids_are_read_without_a_list_of_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("projhead.corpora.text_column._BLOCK", 256)
    names, vectors = [f"document {number}" for number in range(20_000)], np.ones((20_000, 2), np.float32)
    pd.DataFrame({"id": names, "embedding": list(vectors)}).to_parquet(tmp_path / "v.parquet")
    encoder = Precomputed(str(tmp_path / "v.parquet"))
    tracemalloc.start()
    for one, name in zip(encoder.documents("all"), names, strict=True):
        assert one.id == name
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 65 * len(names)  # what tells ids apart takes up to 50 of each, a list of them 70 more
    assert [one.id for one in encoder.documents("all")] == names


def test_new_texts_cannot_be_encoded(tmp_path: Path, rows: Vectors) -> None:
    encoder = Precomputed(_write(tmp_path / "v.npy", rows))
    with pytest.raises(ValueError, match=r"no vectors of 2 of 2 texts \(the first is 'new'.*encoder.texts=<file>"):
        encoder.encode(["new", "newer"])
    (tmp_path / "t.txt").write_text("too\nfew\n")
    with pytest.raises(ValueError, match=r"t.txt: expected 600 texts, one per row of .*v.npy, got 2"):
        Precomputed(str(tmp_path / "v.npy"), texts=str(tmp_path / "t.txt")).encode(["too"])


def _changed(rows: Vectors, value: float) -> Vectors:
    rows = rows.copy()
    rows[7] = value
    return rows


def test_rows_without_a_direction_are_refused(tmp_path: Path, rows: Vectors) -> None:
    for value, message in ((np.nan, "NaN or infinity"), (np.inf, "NaN or infinity"), (0.0, "all zero \\(row 7\\)")):
        with pytest.raises(ValueError, match=message):
            Precomputed(_write(tmp_path / "v.npy", _changed(rows, value)))


def test_what_holds_no_rows_is_refused(tmp_path: Path, rows: Vectors) -> None:
    with pytest.raises(FileNotFoundError, match=r"no file .*none.npy; expected .npy, .safetensors, .parquet"):
        Precomputed(str(tmp_path / "none.npy"))
    cases = {
        "1d.npy": rows[0],
        "int.npy": np.arange(6).reshape(2, 3),
        "empty.npy": rows[:0],
        "object.npy": np.array([{"a": 1}], dtype=object),  # would be a pickle
    }
    for name, content in cases.items():
        np.save(tmp_path / name, content, allow_pickle=True)
        with pytest.raises(ValueError, match=name):
            Precomputed(str(tmp_path / name))
    pd.DataFrame({"embedding": [rows[0], None]}).to_parquet(tmp_path / "missing.parquet")
    pd.DataFrame({"embedding": [rows[0], rows[0, :5]]}).to_parquet(tmp_path / "ragged.parquet")
    save_file({"a": rows, "b": rows}, tmp_path / "two.safetensors")
    (tmp_path / "damaged.npy").write_bytes(b"\x93NUMPY but not really")
    (tmp_path / "text.csv").write_text("1,2\n3,4\n")
    (tmp_path / "model.pt").write_bytes(b"")
    messages = {
        "missing.parquet": "expected a vector in every row, got none in row 1",
        "ragged.parquet": r"one width, got \[5, 32\]",
        "two.safetensors": r"expected one tensor, or one called 'embedding', got \['a', 'b'\]; name it",
        "damaged.npy": "cannot be read",
        "text.csv": "expected vectors in a column 'embedding', got the columns '1', '2'; name theirs with",
        "model.pt": "expected .npy, .safetensors, .parquet.*a pickle runs code: save the tensor as .safetensors",
    }
    for name, message in messages.items():
        with pytest.raises(ValueError, match=f"{name}.*{message}"):
            Precomputed(str(tmp_path / name))


def test_files_of_a_declared_model_stand_for_one_another(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    for day in ("monday", "tuesday"):
        np.save(tmp_path / f"{day}.npy", unit_rows(generator.normal(size=(20, 6))))
        (tmp_path / f"{day}.txt").write_text("".join(f"{day} {number}\n" for number in range(20)))

    def opened(day: str, **declared: str) -> Precomputed:
        return Precomputed(str(tmp_path / f"{day}.npy"), texts=str(tmp_path / f"{day}.txt"), **declared)

    api = {"name": "text-embedding-3-small", "revision": "2024-01-25"}
    monday, tuesday = (opened(day, **api) for day in ("monday", "tuesday"))
    stores = [
        write_store(tmp_path / day, one, [Document(text, text) for text in one.texts_or_rows()])
        for day, one in (("m", monday), ("t", tuesday))
    ]
    PCA(3).fit(stores[0]).save(tmp_path / "artifact")
    reducer = load_reducer(tmp_path / "artifact")
    assert Reduced(tuesday, reducer).encode(["tuesday 3"]).shape == (1, 3)
    assert len(Collection.build(stores[0], "exact").add(stores[1])) == 40
    assert build(spec_of(tuesday), "encoder").identity == monday.identity

    for other in (opened("tuesday"), opened("tuesday", **{**api, "revision": "2"}), opened("tuesday", name="ada")):
        with pytest.raises(ValueError, match=r"expected vectors of text-embedding-3-small \(fingerprint text-.*@2024"):
            Reduced(other, reducer)
    PCA(3).fit(opened("monday").rows).save(tmp_path / "undeclared", teacher=opened("monday").identity)
    with pytest.raises(ValueError, match=r"unless you declare their model, .*encoder.name=<model> encoder.revision="):
        Reduced(opened("tuesday"), load_reducer(tmp_path / "undeclared"))
    with pytest.raises(
        ValueError, match=r"expected the name of the model that it is of, got '2' alone; give encoder.n"
    ):
        opened("monday", revision="2")


def test_stand_ins_are_digests_that_know_their_rows(rows: Vectors, tmp_path: Path) -> None:
    np.save(tmp_path / "rows.npy", rows[:5])
    texts = Precomputed(str(tmp_path / "rows.npy")).texts_or_rows()
    expected = [hashlib.sha256(row.tobytes()).hexdigest() for row in rows[:5]]
    assert list(texts) == expected
    assert list(texts[1:4]) == expected[1:4]
    assert texts[-1] == expected[-1]
    assert [one.row for one in (texts[-1], texts[2], *texts[1:3])] == [4, 2, 1, 2]
