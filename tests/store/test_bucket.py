"""Stores written to a file system that is no disk's: object for object what a folder holds."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem
from tests.engines.elsewhere import Elsewhere
from tests.store.stores import DOCUMENTS, TEXTS, Hashing, write

from projhead.codecs.base import BaseCodec
from projhead.codecs.integer import Integer
from projhead.commands.in_process import run_verb
from projhead.data import Document
from projhead.store.bucket import Bucket
from projhead.store.manifest import Manifest
from projhead.store.store import EmbeddingStore
from projhead.store.write import write_store

URL = "memory://bucket/docs"
ROOT = "/bucket/docs/"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    yield tmp_path / "cache" / "projhead" / "stores"
    MemoryFileSystem.store.clear()


def put(encoder: Hashing | None = None, documents: Any = DOCUMENTS, **options: Any) -> EmbeddingStore:
    return write_store(URL, encoder or Hashing(), iter(documents), **{"name": "docs", "shard_rows": 20, **options})


def objects() -> dict[str, bytes]:
    return {name.removeprefix(ROOT): file.getvalue() for name, file in MemoryFileSystem.store.items()}


def files(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


@pytest.mark.parametrize("engine", [None, Elsewhere()], ids=["serial", "elsewhere"])
@pytest.mark.parametrize("codec", [None, Integer(8)], ids=["floats", "codes"])
def test_its_objects_are_the_files_of_a_folder_and_are_read_when_asked_for(
    codec: BaseCodec | None, engine: Any, tmp_path: Path, cache: Path
) -> None:
    there = write(tmp_path / "s", codec=codec)
    store = put(codec=codec, engine=engine)
    assert objects() == files(tmp_path / "s")
    assert (len(store), store.url, store.dimension, store.disk_bytes) == (50, URL, there.dimension, there.disk_bytes)
    assert not cache.exists()
    assert (store.texts, store.codec is None) == (TEXTS, codec is None)
    assert (store.rows == there.rows).all()
    assert not hasattr(store, "rosw")
    encoder = Hashing()
    assert put(encoder, codec=codec).texts == TEXTS
    assert encoder.done == 0


@pytest.mark.parametrize("after", [0, 19, 20, 39, 40, 49])
def test_what_was_interrupted_goes_on_at_the_last_whole_shard(after: int, tmp_path: Path) -> None:
    write(tmp_path / "undisturbed")
    with pytest.raises(RuntimeError, match="interrupted"):
        put(Hashing(fail_after=after))
    whole = after // 20
    begun = {f"{kind}/data-{number:05d}.json" for number in range(whole) for kind in ["marks"]}
    assert {name for name in objects() if name.startswith("marks/")} == begun
    with pytest.raises(ValueError, match=rf"{URL} is unfinished: run the same encode again to go on"):
        EmbeddingStore.open(URL)
    encoder = Hashing()
    put(encoder)
    assert encoder.done == 50 - 20 * whole
    assert objects() == files(tmp_path / "undisturbed")


@pytest.mark.parametrize("lost", ["marks/data-00001.json", "data-00001.arrow"])
def test_what_engines_put_out_of_order_and_what_a_kill_left_is_gone_on_with(lost: str, tmp_path: Path) -> None:
    write(tmp_path / "undisturbed")
    with pytest.raises(RuntimeError, match="interrupted"):
        put(Hashing(fail_after=40))
    mark = MemoryFileSystem.store[ROOT + "marks/data-00001.json"]
    del MemoryFileSystem.store[ROOT + lost]
    encoder = Hashing()
    put(encoder)
    assert encoder.done == 30
    assert objects() == files(tmp_path / "undisturbed")
    MemoryFileSystem.store[ROOT + "marks/data-00002.json"] = mark  # a kill before the last one was deleted
    put()
    assert objects() == files(tmp_path / "undisturbed")


@pytest.mark.parametrize("finished", [False, True])
def test_another_encoder_dtype_or_corpus_is_refused_and_changes_nothing(finished: bool) -> None:
    if finished:
        put()
    else:
        with pytest.raises(RuntimeError):
            put(Hashing(fail_after=40))
    before = objects()
    other_text = [*DOCUMENTS[:5], Document("id 5", "another"), *DOCUMENTS[6:]]
    for options, message in (
        ({"encoder": Hashing("fedcba9876543210")}, "docs: expected .* 0123456789abcdef, .* got .* fedcba9876543210"),
        ({"dtype": "float32"}, "docs was begun with dtype 'float16', got 'float32'"),
        ({"shard_rows": 10}, "docs was begun with shard_rows 20, got 10"),
        ({"documents": other_text}, r"docs/data-00000.arrow was made from other ids or texts"),
        ({"documents": DOCUMENTS[:30]}, "documents, the corpus has fewer: choose another path"),
    ):
        with pytest.raises(ValueError, match=rf"^memory://bucket/{message}" if "fewer" not in message else message):
            put(**options)
        assert objects() == before
    MemoryFileSystem.store.pop(ROOT + "data-00000.arrow")
    if finished:
        with pytest.raises(ValueError, match=r"docs/data-00000.arrow: expected [\d,]+ bytes, got 0; delete the store"):
            put()


def test_other_objects_and_no_documents_are_refused_and_leave_nothing() -> None:
    with pytest.raises(ValueError, match="docs: expected at least one document, got none"):
        put(documents=[])
    assert objects() == {}
    with fsspec.open(f"{URL}/notes/a.txt", "w") as file:
        file.write("mine")
    with pytest.raises(ValueError, match=rf"{URL} is not a store, and not empty \(notes\): choose another path"):
        put()
    assert objects() == {"notes/a.txt": b"mine"}


def meanwhile(at: int, call: Any) -> Iterator[Document]:
    for number, document in enumerate(DOCUMENTS):
        if number == at:
            call()
        yield document


@pytest.mark.parametrize("at", [30, 45])
def test_two_at_once_of_the_same_command_write_the_same_store(at: int, tmp_path: Path) -> None:
    write(tmp_path / "undisturbed")
    put(documents=meanwhile(at, put))
    assert objects() == files(tmp_path / "undisturbed")


@pytest.mark.parametrize("other", [Hashing(), Hashing("fedcba9876543210")], ids=["the same", "another"])
def test_of_two_that_begin_at_once_one_does(other: Hashing, tmp_path: Path) -> None:
    write(tmp_path / "undisturbed", other)
    with pytest.raises(ValueError, match=f"{URL} was begun by another process just now: run the same command again"):
        put(documents=meanwhile(10, lambda: put(other)))
    assert objects() == files(tmp_path / "undisturbed")


def test_two_at_once_of_other_texts_do_not_mix() -> None:
    theirs: dict[str, bytes] = {}

    def half(documents: Any) -> None:
        with pytest.raises(RuntimeError, match="interrupted"):
            put(Hashing(fail_after=20), documents)
        theirs.update(objects())

    changed = [*DOCUMENTS[:25], Document("id 25", "another"), *DOCUMENTS[26:]]  # of the second shard
    with pytest.raises(ValueError, match=r"docs/data-00001.arrow was made from other ids or texts"):
        put(documents=meanwhile(30, lambda: half(changed)))
    assert objects() == theirs
    assert put(documents=changed).texts == [document.text for document in changed]


class Near(Hashing):
    """The same encoder on another kind of machine."""

    def encode(self, texts: Any, *, show_progress: bool = False) -> Any:
        return super().encode(texts) * 0.999


def test_of_two_kinds_of_machines_what_is_there_stays(tmp_path: Path) -> None:
    write(tmp_path / "undisturbed")

    def begin() -> None:
        with pytest.raises(RuntimeError, match="interrupted"):
            put(Near(fail_after=20))

    put(documents=meanwhile(30, begin))
    store = EmbeddingStore.open(URL, verify=True)
    assert store.texts == TEXTS
    assert objects()["data-00000.arrow"] == files(tmp_path / "undisturbed")["data-00000.arrow"]
    assert objects()["data-00001.arrow"] != files(tmp_path / "undisturbed")["data-00001.arrow"]
    MemoryFileSystem.store.clear()
    with pytest.raises(ValueError, match=r"data-00001.arrow was put by another process, of another kind of machine"):
        put(documents=meanwhile(30, lambda: put(Near())))
    assert not [name for name in objects() if name.startswith("marks/")]
    assert put().texts == TEXTS
    MemoryFileSystem.store.clear()
    begin()
    del MemoryFileSystem.store[ROOT + "data-00000.arrow"]  # ended between the mark and the shard
    with pytest.raises(RuntimeError, match="interrupted"):
        put(Hashing(fail_after=20))
    put()
    assert objects() == files(tmp_path / "undisturbed")


def test_a_shard_costs_two_objects(monkeypatch: pytest.MonkeyPatch) -> None:
    names: list[str] = []
    whole = Bucket._replace

    def counted(self: Bucket, name: str, here: Path, mode: str = "overwrite") -> None:
        names.append(name)
        whole(self, name, here, mode)

    monkeypatch.setattr(Bucket, "_replace", counted)
    put(shard_rows=2)
    assert len(names) == 1 + 2 * 25 + 3
    assert len(set(names)) == len(names) - 1
    assert names[0] == names[-1] == "manifest.json"


def test_a_copy_of_a_folder_is_gone_on_with_there(tmp_path: Path) -> None:
    write(tmp_path / "undisturbed")
    with pytest.raises(RuntimeError, match="interrupted"):
        write(tmp_path / "s", Hashing(fail_after=40))
    fsspec.filesystem("memory").put(f"{tmp_path / 's'}/", ROOT, recursive=True)
    assert "shards.jsonl" in objects()
    put()
    assert objects() == files(tmp_path / "undisturbed")
    manifest = Manifest.read(tmp_path / "undisturbed")
    assert [shard.file for shard in manifest.shards] == [f"data-{number:05d}.arrow" for number in range(3)]


def test_encode_writes_to_a_url(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps({"text": one, "vector": [1.0, 2]}) + "\n" for one in "ab"))
    words = ["encoder=precomputed", f"encoder.path={tmp_path / 'rows.jsonl'}", "encoder.similarity=cosine"]
    assert run_verb("encode", [*words, f"out={URL}"], Path(".")) == 2
    assert f"projhead index store={URL} out=<index>" in capsys.readouterr().out
    assert run_verb("index", [f"store={URL}", f"out={tmp_path / 'index'}"], Path(".")) == 2
