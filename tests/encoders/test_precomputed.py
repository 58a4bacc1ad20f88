from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import save_file

from projhead.collection import Collection
from projhead.corpora.files import TextFiles
from projhead.data import Document, RowText
from projhead.encoders.precomputed import Precomputed
from projhead.encoders.reduced import Reduced
from projhead.persistence.registry import build, spec_of
from projhead.reducers.base import load_reducer
from projhead.reducers.pca import PCA
from projhead.reducers.truncation import Truncation
from projhead.store.store import write_store
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
    assert encoder.texts_or_rows() == ["zero", "one", "two", "three", "four"]
    assert (encoder.name, encoder.dimension) == ("v", 32)


def test_npy_is_memory_mapped(tmp_path: Path, rows: Vectors) -> None:
    assert isinstance(Precomputed(_write(tmp_path / "v.npy", rows)).rows, np.memmap)


def test_without_texts_rows_stand_for_themselves(tmp_path: Path, rows: Vectors) -> None:
    encoder = Precomputed(_write(tmp_path / "v.npy", rows))
    names = encoder.texts_or_rows()
    np.testing.assert_allclose(encoder.encode(names[10:20]), rows[10:20], atol=1e-6)
    # The same vector elsewhere has the same name, so both are on one side of a split.
    assert Precomputed(_write(tmp_path / "w.npy", rows[::-1])).texts_or_rows() == names[::-1]


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
    with pytest.raises(FileNotFoundError, match=r"no file .*none.npy; expected .npy, .safetensors or .parquet"):
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
    (tmp_path / "text.csv").write_text("1,2\n")
    messages = {
        "missing.parquet": "missing ones",
        "ragged.parquet": r"one width, got \[5, 32\]",
        "two.safetensors": "expected one tensor, or one called 'embedding'",
        "damaged.npy": "cannot be read",
        "text.csv": "expected .npy, .safetensors or .parquet",
    }
    for name, message in messages.items():
        with pytest.raises(ValueError, match=f"{name}.*{message}"):
            Precomputed(str(tmp_path / name))


def test_files_of_a_declared_model_stand_for_one_another(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    for day in ("monday", "tuesday"):
        np.save(tmp_path / f"{day}.npy", generator.normal(size=(20, 6)).astype(np.float32))
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
