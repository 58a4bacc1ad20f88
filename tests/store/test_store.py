from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import tracemalloc
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import datasets
import numpy as np
import pytest

from projhead.data import Document
from projhead.encoders.minilm import MiniLM
from projhead.persistence.identity import EncoderIdentity
from projhead.persistence.registry import build
from projhead.protocols import OneSided
from projhead.store.fingerprint import Chain, digest_of, fingerprint
from projhead.store.manifest import Manifest
from projhead.store.store import EmbeddingStore, store_path
from projhead.store.write import write_store
from projhead.vectors import Vectors, unit_rows

WIDTH = 16


class Hashing(OneSided):
    """A text's digest as its vector; can end the process, or fail, after so many texts."""

    name, dimension = "hashing", WIDTH

    def __init__(self, revision: str = "0123456789abcdef", fail_after: float = np.inf, kill: bool = False) -> None:
        self.identity = EncoderIdentity(self.name, revision, self.dimension)
        self._fail_after, self.kill, self.done = fail_after, kill, 0

    def encode(self, texts: Sequence[str], *, show_progress: bool = False) -> Vectors:
        self.done += len(texts)
        if self.done > self._fail_after:
            if self.kill:
                os.kill(os.getpid(), signal.SIGKILL)
            raise RuntimeError("interrupted")
        digests = [hashlib.sha256(text.encode("utf-8", "replace")).digest()[:WIDTH] for text in texts]
        return unit_rows(np.frombuffer(b"".join(digests), np.uint8).reshape(-1, WIDTH).astype(np.float32) - 127.3)


DOCUMENTS = [Document(f"id {i}", f"text {i} ünï " + "x" * (i % 7)) for i in range(50)]
TEXTS = [document.text for document in DOCUMENTS]


def _write(path: Path, encoder: Hashing | None = None, documents: Sequence[Document] = DOCUMENTS, **options: object):
    options = {"name": "docs", "shard_rows": 20, **options}
    return write_store(path, encoder or Hashing(), iter(documents), **options)  # type: ignore[arg-type]


def _files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("dtype", ["float16", "float32"])
@pytest.mark.parametrize("shard_rows", [1, 20, 50, 1000])
def test_rows_ids_and_texts_come_back_in_order(tmp_path: Path, dtype: str, shard_rows: int) -> None:
    _write(tmp_path / "s", dtype=dtype, shard_rows=shard_rows)
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
    _write(tmp_path / "s")
    found = datasets.load_from_disk(tmp_path / "s")
    assert (found["id"][:], found["text"][:]) == ([one.id for one in DOCUMENTS], TEXTS)
    np.testing.assert_array_equal(
        np.array(found.with_format("numpy")["embedding"][:]), Hashing().encode(TEXTS).astype("float16")
    )
    assert found.info.dataset_name == "docs"


def test_rows_of_one_shard_are_not_copied(tmp_path: Path) -> None:
    store = _write(tmp_path / "s", shard_rows=1000)
    buffer = store.table["embedding"].chunk(0).flatten().buffers()[1]
    assert store.rows.ctypes.data == buffer.address
    assert not store.rows.flags.writeable


def test_the_manifest_says_where_it_came_from(tmp_path: Path) -> None:
    manifest = _write(tmp_path / "s").manifest
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
        _write(tmp_path / "s", documents=[Document(name, "text")])


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


# What happens when it is interrupted


@pytest.mark.parametrize("after", [0, 19, 20, 39, 40, 49])
def test_after_a_failure_the_same_call_goes_on_and_ends_with_the_same_bytes(tmp_path: Path, after: int) -> None:
    _write(tmp_path / "undisturbed")
    with pytest.raises(RuntimeError, match="interrupted"):
        _write(tmp_path / "s", Hashing(fail_after=after))
    whole = after // 20 * 20
    if whole:
        with pytest.raises(ValueError, match=rf"unfinished \({whole} rows so far\): run the same encode again"):
            EmbeddingStore.open(tmp_path / "s")
    else:
        assert not (tmp_path / "s").exists()
    encoder = Hashing()
    _write(tmp_path / "s", encoder)
    assert encoder.done == 50 - whole
    assert _files(tmp_path / "s") == _files(tmp_path / "undisturbed")


KILLED = """
import os, signal, sys
from contextlib import contextmanager
from pathlib import Path
sys.path.insert(0, {folder!r})
import projhead.store.manifest
import projhead.store.shard
from test_store import Hashing, _write

atomic_file, calls = projhead.store.shard.atomic_file, 0

def second_time():
    global calls
    calls += 1
    return calls == 2

def killed_within_the_line(path, line):
    path.write_text(line[:50])
    os.kill(os.getpid(), signal.SIGKILL)

@contextmanager
def killed_within_the_shard(path):
    with atomic_file(path) as temporary:
        yield temporary
        if second_time():
            os.truncate(temporary, 100)
            os.kill(os.getpid(), signal.SIGKILL)

if {where!r} == "manifest":
    projhead.store.manifest.append_line = killed_within_the_line
if {where!r} == "shard":
    projhead.store.shard.atomic_file = killed_within_the_shard
_write(Path({path!r}), Hashing(fail_after=30 if {where!r} == "encode" else 1000, kill=True))
"""


@pytest.mark.parametrize("where", ["encode", "manifest", "shard"])
def test_after_a_kill_the_same_call_goes_on_and_ends_with_the_same_bytes(tmp_path: Path, where: str) -> None:
    _write(tmp_path / "undisturbed")
    program = KILLED.format(folder=str(Path(__file__).parent), path=str(tmp_path / "s"), where=where)
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120)
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    left = _files(tmp_path / "s")
    assert json.loads(left["manifest.json"])["body"]["complete"] is False
    assert len(json.loads(left["manifest.json"])["body"]["shards"]) == 1
    assert ("data-00001.arrow" in left) == (where == "manifest")
    assert any(name.endswith(".tmp") for name in left) == (where == "shard")
    encoder = Hashing()
    _write(tmp_path / "s", encoder)
    assert encoder.done == 30
    assert _files(tmp_path / "s") == _files(tmp_path / "undisturbed")


def test_a_finished_store_is_not_encoded_again(tmp_path: Path) -> None:
    _write(tmp_path / "s")
    before, encoder = _files(tmp_path / "s"), Hashing()
    store = _write(tmp_path / "s", encoder)
    assert encoder.done == 0
    assert len(store) == 50
    assert _files(tmp_path / "s") == before


@pytest.mark.parametrize("finished", [False, True])
def test_another_encoder_dtype_or_corpus_is_refused_and_changes_nothing(tmp_path: Path, finished: bool) -> None:
    if finished:
        _write(tmp_path / "s")
    else:
        with pytest.raises(RuntimeError):
            _write(tmp_path / "s", Hashing(fail_after=40))
    before = _files(tmp_path / "s")
    other_text = [*DOCUMENTS[:5], Document("id 5", "another"), *DOCUMENTS[6:]]
    other_id = [*DOCUMENTS[:5], Document("another", DOCUMENTS[5].text), *DOCUMENTS[6:]]
    for options, message in (
        ({"encoder": Hashing("fedcba9876543210")}, "fingerprint 0123456789abcdef, .* got those of .* fedcba9876543210"),
        ({"dtype": "float32"}, "dtype 'float16', got 'float32': give the same, or choose another path"),
        ({"shard_rows": 10}, "shard_rows 20, got 10"),
        ({"keep_texts": False}, "keep_texts True, got False"),
        ({"documents": other_text}, r"data-00000.arrow was made from other ids or texts"),
        ({"documents": other_id}, r"data-00000.arrow was made from other ids or texts"),
        ({"documents": DOCUMENTS[:30]}, "documents, the corpus has fewer: choose another path"),
    ):
        with pytest.raises(ValueError, match=message):
            _write(tmp_path / "s", **options)  # type: ignore[arg-type]
        assert _files(tmp_path / "s") == before
    if finished:
        with pytest.raises(ValueError, match="holds 50 documents, the corpus has more"):
            _write(tmp_path / "s", documents=[*DOCUMENTS, *DOCUMENTS])


def test_one_process_writes_and_the_other_waits(tmp_path: Path) -> None:
    program = f"""
import sys
from pathlib import Path
sys.path.insert(0, {str(Path(__file__).parent)!r})
from test_store import Hashing, _write
encoder = Hashing()
print(len(_write(Path({str(tmp_path / "s")!r}), encoder)), encoder.done)
"""
    waiting: list[subprocess.Popen[str]] = []

    def slow() -> Iterator[Document]:
        for number, document in enumerate(DOCUMENTS):
            if number == 30:
                command = [sys.executable, "-c", program]
                waiting.append(subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True))
                assert waiting[0].stderr is not None
                told = waiting[0].stderr.readline()
                assert "is being written by another process" in told
            yield document

    write_store(tmp_path / "s", Hashing(), slow(), name="docs", shard_rows=20)
    assert waiting[0].communicate(timeout=60)[0].split() == ["50", "0"]


# What is damaged or strange


def test_damage_is_told_apart_from_the_whole(tmp_path: Path) -> None:
    _write(tmp_path / "s")
    shard = tmp_path / "s" / "data-00001.arrow"
    content = bytearray(shard.read_bytes())
    content[len(content) // 2] ^= 1
    shard.write_bytes(content)
    with pytest.raises(ValueError, match=r"data-00001.arrow is damaged: its sha256 .* encode again"):
        EmbeddingStore.open(tmp_path / "s")
    EmbeddingStore.open(tmp_path / "s", verify=False)  # of the same size
    shard.write_bytes(content[:-8])
    with pytest.raises(ValueError, match=r"data-00001.arrow: expected [\d,]+ bytes, got [\d,]+; delete the store"):
        EmbeddingStore.open(tmp_path / "s", verify=False)
    shard.unlink()
    with pytest.raises(ValueError, match=r"expected [\d,]+ bytes, got 0"):
        EmbeddingStore.open(tmp_path / "s", verify=False)


def test_damage_is_told_when_going_on(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError):
        _write(tmp_path / "s", Hashing(fail_after=40))
    shard = tmp_path / "s" / "data-00000.arrow"
    content = bytearray(shard.read_bytes())
    content[len(content) // 2] ^= 1
    shard.write_bytes(content)
    with pytest.raises(ValueError, match=r"data-00000.arrow is damaged"):
        _write(tmp_path / "s")


def test_a_shard_that_is_not_what_the_manifest_says_is_refused(tmp_path: Path) -> None:
    _write(tmp_path / "s")
    _write(tmp_path / "t", dtype="float32")
    manifest, other = Manifest.read(tmp_path / "s"), Manifest.read(tmp_path / "t")
    manifest.shards = other.shards
    manifest.write(tmp_path / "t")
    with pytest.raises(ValueError, match=r"embedding as fixed_size_list<item: halffloat>\[16\]"):
        EmbeddingStore.open(tmp_path / "t")


def test_texts_that_were_not_kept_are_not_there(tmp_path: Path) -> None:
    store = _write(tmp_path / "s", keep_texts=False)
    assert store.table.column_names == ["id", "embedding"]
    assert store.documents([3]) == [Document("id 3", "")]
    with pytest.raises(ValueError, match="holds no texts: encode again with keep_texts=true"):
        _ = store.texts


def test_wrong_arguments_leave_nothing_behind(tmp_path: Path) -> None:
    for options, message in (
        ({"dtype": "int8"}, "expected one of float16, float32, got 'int8'"),
        ({"shard_rows": 0}, "expected a positive number, got 0"),
        ({"documents": []}, "docs: expected at least one document, got none"),
    ):
        with pytest.raises(ValueError, match=message):
            _write(tmp_path / "s", **options)  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "s").mkdir()
    (tmp_path / "s" / "thesis.txt").write_text("precious")
    with pytest.raises(ValueError, match=r"is not a store, and not empty \(thesis.txt\)"):
        _write(tmp_path / "s")
    assert _files(tmp_path / "s") == {"thesis.txt": b"precious"}
    with pytest.raises(FileNotFoundError, match="no store in"):
        EmbeddingStore.open(tmp_path / "none")


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
    _write(tmp_path / "b")
    assert freed == [True]


def _remarked(folder: Path, marks: Sequence[str], **changes: object) -> None:
    manifest = Manifest.read(folder)
    manifest.shards = [replace(shard, documents=mark) for shard, mark in zip(manifest.shards, marks, strict=True)]
    replace(manifest, **changes).write(folder)  # type: ignore[arg-type]


@pytest.mark.parametrize("finished", [False, True])
def test_shards_that_an_older_version_marked_are_gone_on_with(tmp_path: Path, finished: bool) -> None:
    if finished:
        _write(tmp_path / "s")
    else:
        with pytest.raises(RuntimeError, match="interrupted"):
            _write(tmp_path / "s", Hashing(fail_after=40))
    chain = Chain()
    marks = [chain.add(DOCUMENTS[start : start + 20]) for start in range(0, 50 if finished else 40, 20)]
    corpus = {"name": "docs", "fingerprint": fingerprint(TEXTS) if finished else ""}
    _remarked(tmp_path / "s", marks, corpus=corpus)
    with pytest.raises(ValueError, match="made from other ids or texts"):
        _write(tmp_path / "s", documents=[*DOCUMENTS[:30], Document("id 30", "another"), *DOCUMENTS[31:]])
    encoder = Hashing()
    assert _write(tmp_path / "s", encoder).texts == TEXTS
    assert encoder.done == (0 if finished else 10)


def test_a_store_whose_corpus_was_known_as_a_whole_is_compared_with_all_texts(tmp_path: Path) -> None:
    _write(tmp_path / "s", fingerprint=fingerprint(TEXTS))
    other = [*DOCUMENTS[:30], Document("id 30", "another"), *DOCUMENTS[31:]]
    with pytest.raises(ValueError, match="was made from other texts"):
        _write(tmp_path / "s", documents=other)
    assert _write(tmp_path / "s").texts == TEXTS
    manifest = Manifest.read(tmp_path / "s")
    replace(manifest, shards=manifest.shards[:1], complete=False).write(tmp_path / "s")
    with pytest.raises(ValueError, match="was begun by a training or an evaluation: go on with that"):
        _write(tmp_path / "s", documents=other)
    assert _write(tmp_path / "s", fingerprint=fingerprint(TEXTS)).texts == TEXTS


def test_a_shard_costs_a_line_and_not_a_manifest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[int] = []
    write = Manifest.write
    monkeypatch.setattr(Manifest, "write", lambda self, folder: (written.append(len(self.shards)), write(self, folder)))
    _write(tmp_path / "undisturbed", shard_rows=2)
    assert written == [1, 25]
    with pytest.raises(RuntimeError, match="interrupted"):
        _write(tmp_path / "s", Hashing(fail_after=20), shard_rows=2)
    journal = tmp_path / "s" / "shards.jsonl"
    lines = journal.read_text()
    assert len(lines.splitlines()) == 9
    assert Manifest.read(tmp_path / "s").rows == 20
    journal.write_text(lines.replace('"row', '"raw'))
    with pytest.raises(ValueError, match=r"manifest.json is damaged"):
        Manifest.read(tmp_path / "s")
    journal.write_text(lines)
    Manifest.read(tmp_path / "s").write(tmp_path / "s")
    journal.write_text(lines)  # as a process leaves it that is killed before it is gone
    _write(tmp_path / "s", shard_rows=2)
    assert _files(tmp_path / "s") == _files(tmp_path / "undisturbed")
