"""Stores of a file system that is no disk's."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import fsspec
import numpy as np
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from projhead.codecs.base import BaseCodec
from projhead.codecs.integer import Integer
from projhead.collection import Collection
from projhead.commands.in_process import run_verb
from projhead.encoders.precomputed import Precomputed
from projhead.store.embed import embed
from projhead.store.store import EmbeddingStore
from projhead.vectors import Vectors

URL = "memory://bucket/docs"


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    yield tmp_path / "cache" / "projhead" / "stores"
    MemoryFileSystem.store.clear()


def put(rows: Vectors, folder: Path, codec: BaseCodec | None = None) -> EmbeddingStore:
    """Write a store of five shards, and copy it to the bucket."""
    np.save(folder / "rows.npy", rows)
    encoder = Precomputed(str(folder / "rows.npy"), similarity="cosine")
    store = embed(encoder, out=folder / "docs", codec=codec, shard_rows=128, show_progress=False)
    fsspec.filesystem("memory").put(f"{folder / 'docs'}/", "/bucket/docs/", recursive=True)
    return store


@pytest.mark.parametrize("codec", [None, Integer(8)], ids=["floats", "codes"])
def test_a_store_at_a_url_is_the_store_and_is_copied_once(
    codec: BaseCodec | None, rows: Vectors, tmp_path: Path, cache: Path
) -> None:
    there = put(rows, tmp_path, codec)
    store = EmbeddingStore.open(URL)
    assert (store.ids, store.url, store.identity) == (there.ids, URL, there.identity)
    np.testing.assert_array_equal(store.rows, there.rows)
    (folder,) = cache.iterdir()
    assert store.folder == folder
    before = {file: file.stat().st_ino for file in folder.glob("*.arrow")}
    assert len(before) == 5
    assert len(EmbeddingStore.open(f"{URL}/")) == 600
    assert {file: file.stat().st_ino for file in folder.glob("*.arrow")} == before


def test_an_index_remembers_the_url_and_verbs_take_it(rows: Vectors, tmp_path: Path, cache: Path) -> None:
    put(rows, tmp_path)
    assert run_verb("index", [f"store={URL}", f"out={tmp_path / 'index'}"], Path(".")) == 600
    shutil.rmtree(cache)
    shutil.rmtree(tmp_path / "docs")
    assert Collection.open(tmp_path / "index").search(rows[7], top_k=1)[0].id == "7"
    shutil.rmtree(cache)
    np.save(tmp_path / "query.npy", rows[9])
    asked = [f"index={tmp_path / 'index'}", f"vector={tmp_path / 'query.npy'}", f"store={URL}"]
    assert run_verb("search", asked, Path(".")) == pytest.approx(1, abs=1e-3)


def test_what_was_interrupted_goes_on_and_what_is_damaged_is_told(rows: Vectors, tmp_path: Path, cache: Path) -> None:
    put(rows, tmp_path)
    whole = MemoryFileSystem.store.pop("/bucket/docs/data-00003.arrow")
    with pytest.raises(OSError, match=r"memory://bucket/docs/data-00003\.arrow cannot be read"):
        EmbeddingStore.open(URL)
    (folder,) = cache.iterdir()
    before = {file: file.stat().st_ino for file in folder.glob("*.arrow")}
    assert len(before) == 3
    with fsspec.open(f"{URL}/data-00003.arrow", "wb") as file:
        file.write(whole.getvalue()[:-1] + b"x")
    with pytest.raises(ValueError, match=r"data-00003\.arrow, as it came, is damaged"):
        EmbeddingStore.open(URL)
    MemoryFileSystem.store["/bucket/docs/data-00003.arrow"] = whole
    assert len(EmbeddingStore.open(URL)) == 600
    assert {file: file.stat().st_ino for file in before} == before
    assert not [file for file in folder.iterdir() if file.name.startswith(".")]


def test_what_is_no_finished_store_and_what_would_be_written_there_is_refused(
    rows: Vectors, tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = put(rows, tmp_path)
    with pytest.raises(FileNotFoundError, match=r"no store at memory://bucket/none: expected .*/manifest\.json"):
        EmbeddingStore.open("memory://bucket/none")
    there.manifest.complete = False
    there.manifest.write(there.folder)
    fsspec.filesystem("memory").put(str(there.folder / "manifest.json"), "/bucket/docs/manifest.json")
    with pytest.raises(ValueError, match=r"memory://bucket/docs is unfinished: run the same encode again"):
        EmbeddingStore.open(URL)
    monkeypatch.chdir(tmp_path)
    for call in (
        lambda: Collection.build(there, out="s3://bucket/index"),
        lambda: Collection.build(there).save("s3://bucket/index"),
        lambda: run_verb("index", [f"store={tmp_path / 'docs'}", "out=s3://bucket/index"], Path(".")),
    ):
        with pytest.raises(ValueError, match=r"s3:/+bucket/\w+: expected a folder to write to, got a URL"):
            call()
    assert not (tmp_path / "s3:").exists()
    assert json.loads((tmp_path / "docs" / "manifest.json").read_text())["body"]["complete"] is False


def test_a_codec_that_lies_there_codes_more_rows(rows: Vectors, tmp_path: Path, cache: Path) -> None:
    there = put(rows, tmp_path, Integer(8))
    words = ["encoder=precomputed", f"encoder.path={tmp_path / 'rows.npy'}", "encoder.similarity=cosine"]
    words += ["shard_rows=128", f"out={tmp_path / 'more'}"]
    with pytest.raises(
        FileNotFoundError, match=rf"no codec at {URL}: expected {URL}/codec.json; name the folder of one"
    ):
        run_verb("encode", [*words, f"fitted_codec={URL}"], Path("."))
    run_verb("encode", [*words, f"fitted_codec={URL}/codec"], Path("."))
    more = EmbeddingStore.open(tmp_path / "more")
    assert more.manifest.codec is not None
    assert more.manifest.codec["fitted_to"] == "other rows, before"
    for found, expected in zip(more.codes(), there.codes(), strict=True):
        np.testing.assert_array_equal(found, expected)
    shutil.rmtree(cache.with_name("codecs"))
    MemoryFileSystem.store["/bucket/docs/codec/codec.safetensors"].write(b"other")
    with pytest.raises(ValueError, match=r"codec.safetensors, as it came, is damaged"):
        run_verb("encode", [*words, f"fitted_codec={URL}/codec"], Path("."))
