"""What a store holds is what was written, and it says where that came from."""

from __future__ import annotations

import hashlib
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import datasets
import numpy as np
import pytest
from tests.store.stores import DOCUMENTS, TEXTS, WIDTH, Hashing, write

from projhead.data import Document
from projhead.encoders.minilm import MiniLM
from projhead.persistence.identity import EncoderIdentity
from projhead.persistence.registry import build
from projhead.store.fingerprint import digest_of, fingerprint
from projhead.store.store import EmbeddingStore, store_path
from projhead.store.write import write_store


@pytest.mark.parametrize("dtype", ["float16", "float32"])
@pytest.mark.parametrize("shard_rows", [1, 20, 50, 1000])
def test_rows_ids_and_texts_come_back_in_order(tmp_path: Path, dtype: str, shard_rows: int) -> None:
    write(tmp_path / "s", dtype=dtype, shard_rows=shard_rows)
    store = EmbeddingStore.open(tmp_path / "s")
    expected = Hashing().encode(TEXTS).astype(dtype)
    np.testing.assert_array_equal(store.rows, expected)
    np.testing.assert_array_equal(np.concatenate(list(store.blocks())), expected)
    assert [len(block) for block in store.blocks()] == [
        len(DOCUMENTS[i : i + shard_rows]) for i in range(0, 50, shard_rows)
    ]
    assert (store.ids, store.texts) == ([one.id for one in DOCUMENTS], TEXTS)
    assert store.documents([49, 0, 20]) == [DOCUMENTS[49], DOCUMENTS[0], DOCUMENTS[20]]
    assert (len(store), store.dimension) == (50, WIDTH)


def test_datasets_opens_it_alone(tmp_path: Path) -> None:
    write(tmp_path / "s")
    found = datasets.load_from_disk(tmp_path / "s")
    assert (found["id"][:], found["text"][:]) == ([one.id for one in DOCUMENTS], TEXTS)
    np.testing.assert_array_equal(
        np.array(found.with_format("numpy")["embedding"][:]), Hashing().encode(TEXTS).astype("float16")
    )
    assert found.info.dataset_name == "docs"


def test_rows_of_one_shard_are_not_copied(tmp_path: Path) -> None:
    store = write(tmp_path / "s", shard_rows=1000)
    buffer = store.table["embedding"].chunk(0).flatten().buffers()[1]
    assert store.rows.ctypes.data == buffer.address
    assert not store.rows.flags.writeable


def test_the_manifest_says_where_it_came_from(tmp_path: Path) -> None:
    manifest = write(tmp_path / "s").manifest
    assert manifest.encoder == EncoderIdentity("hashing", "0123456789abcdef", WIDTH)
    assert manifest.spec is None  # not projhead's: it could not be built from a record
    marks = [digest_of(DOCUMENTS[start : start + 20]) for start in (0, 20, 40)]
    assert [shard.documents for shard in manifest.shards] == marks
    assert manifest.corpus == {"name": "docs", "fingerprint": fingerprint(marks)}
    for shard in manifest.shards:
        content = (tmp_path / "s" / shard.file).read_bytes()
        assert (len(content), hashlib.sha256(content).hexdigest()) == (shard.bytes, shard.sha256)


def test_real_text_with_a_teacher_that_its_record_builds_again(minilm: MiniLM, tmp_path: Path) -> None:
    texts = ["a dog barks", "", "lone \ud800 surrogate"]
    store = write_store(
        tmp_path / "s", minilm, (Document(str(i), text) for i, text in enumerate(texts)), dtype="float32"
    )
    np.testing.assert_array_equal(store.rows, minilm.encode(texts))
    assert store.texts == ["a dog barks", "", "lone ? surrogate"]
    again = build(store.manifest.spec, "encoder")
    assert again.identity == store.identity


@pytest.mark.parametrize("name", ["", "\ud800"])
def test_ids_that_a_shard_cannot_hold_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="expected ids in UTF-8, not empty, got "):
        write(tmp_path / "s", documents=[Document(name, "text")])


def test_fingerprints_tell_texts_order_and_borders_apart() -> None:
    lists = [["ab", "c"], ["a", "bc"], ["c", "ab"], ["abc"], ["ab", "c", ""], []]
    assert len({fingerprint(texts) for texts in lists}) == len(lists)
    digest = hashlib.sha256()
    for text in TEXTS:
        digest.update(len(text.encode()).to_bytes(8, "big") + text.encode())
    assert fingerprint(iter(TEXTS)) == digest.hexdigest()


def test_store_paths_tell_encoder_corpus_and_dtype_apart(tmp_path: Path) -> None:
    paths = {
        store_path(tmp_path, Hashing(revision), corpus * 32, dtype)
        for revision in ("r1", "r2") for corpus in ("aa", "bb") for dtype in ("float16", "float32")
    }  # fmt: skip
    assert len(paths) == 8
    encoder = Hashing()
    encoder.name = "owner/a model + pca"
    assert store_path(tmp_path, encoder, "f" * 64, "float16").parent == tmp_path


def test_texts_that_were_not_kept_are_not_there(tmp_path: Path) -> None:
    store = write(tmp_path / "s", keep_texts=False)
    assert store.table.column_names == ["id", "embedding"]
    assert store.documents([3]) == [Document("id 3", "")]
    with pytest.raises(ValueError, match="holds no texts: encode again with keep_texts=true"):
        _ = store.texts


def test_memory_holds_one_shard(tmp_path: Path) -> None:
    def documents(n: int) -> Iterator[Document]:
        return (Document(str(i), f"{i} " * 200) for i in range(n))

    def peak(n: int) -> int:
        tracemalloc.start()
        write_store(tmp_path / str(n), Hashing(), documents(n), shard_rows=200)
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    peak(200)  # first-time imports
    assert peak(4000) < 1.5 * peak(400)


def test_a_gpus_cache_is_given_back_when_a_store_is_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    freed: list[bool] = []
    monkeypatch.setattr("torch.cuda.empty_cache", lambda: freed.append((tmp_path / "b" / "state.json").exists()))
    write(tmp_path / "b")
    assert freed == [True]
