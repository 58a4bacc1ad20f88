"""A store that was cut off is gone on with, one that is finished is found, and nothing else is."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from tests.store.stores import DOCUMENTS, TEXTS, Hashing, files, write

from projhead.data import Document
from projhead.store.fingerprint import Chain, fingerprint
from projhead.store.manifest import Manifest
from projhead.store.store import EmbeddingStore
from projhead.store.write import write_store


@pytest.mark.parametrize("after", [0, 19, 20, 39, 40, 49])
def test_after_a_failure_the_same_call_goes_on_and_ends_with_the_same_bytes(tmp_path: Path, after: int) -> None:
    write(tmp_path / "undisturbed")
    with pytest.raises(RuntimeError, match="interrupted"):
        write(tmp_path / "s", Hashing(fail_after=after))
    whole = after // 20 * 20
    if whole:
        with pytest.raises(ValueError, match=rf"unfinished \({whole} rows so far\): run the same encode again"):
            EmbeddingStore.open(tmp_path / "s")
    else:
        assert not (tmp_path / "s").exists()
    encoder = Hashing()
    write(tmp_path / "s", encoder)
    assert encoder.done == 50 - whole
    assert files(tmp_path / "s") == files(tmp_path / "undisturbed")


KILLED = """
import os, signal, sys
from contextlib import contextmanager
from pathlib import Path
sys.path.insert(0, {folder!r})
import projhead.store.manifest
import projhead.store.shard
from stores import Hashing, write

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
write(Path({path!r}), Hashing(fail_after=30 if {where!r} == "encode" else 1000, kill=True))
"""


@pytest.mark.parametrize("where", ["encode", "manifest", "shard"])
def test_after_a_kill_the_same_call_goes_on_and_ends_with_the_same_bytes(tmp_path: Path, where: str) -> None:
    write(tmp_path / "undisturbed")
    program = KILLED.format(folder=str(Path(__file__).parent), path=str(tmp_path / "s"), where=where)
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120)
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    left = files(tmp_path / "s")
    assert json.loads(left["manifest.json"])["body"]["complete"] is False
    assert len(json.loads(left["manifest.json"])["body"]["shards"]) == 1
    assert ("data-00001.arrow" in left) == (where == "manifest")
    assert any(name.endswith(".tmp") for name in left) == (where == "shard")
    encoder = Hashing()
    write(tmp_path / "s", encoder)
    assert encoder.done == 30
    assert files(tmp_path / "s") == files(tmp_path / "undisturbed")


def test_a_finished_store_is_not_encoded_again(tmp_path: Path) -> None:
    write(tmp_path / "s")
    before, encoder = files(tmp_path / "s"), Hashing()
    store = write(tmp_path / "s", encoder)
    assert encoder.done == 0
    assert len(store) == 50
    assert files(tmp_path / "s") == before


@pytest.mark.parametrize("finished", [False, True])
def test_another_encoder_dtype_or_corpus_is_refused_and_changes_nothing(tmp_path: Path, finished: bool) -> None:
    if finished:
        write(tmp_path / "s")
    else:
        with pytest.raises(RuntimeError):
            write(tmp_path / "s", Hashing(fail_after=40))
    before = files(tmp_path / "s")
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
            write(tmp_path / "s", **options)  # type: ignore[arg-type]
        assert files(tmp_path / "s") == before
    if finished:
        with pytest.raises(ValueError, match="holds 50 documents, the corpus has more"):
            write(tmp_path / "s", documents=[*DOCUMENTS, *DOCUMENTS])


def test_one_process_writes_and_the_other_waits(tmp_path: Path) -> None:
    program = f"""
import sys
from pathlib import Path
sys.path.insert(0, {str(Path(__file__).parent)!r})
from stores import Hashing, write
encoder = Hashing()
print(len(write(Path({str(tmp_path / "s")!r}), encoder)), encoder.done)
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


def _remarked(folder: Path, marks: Sequence[str], **changes: object) -> None:
    manifest = Manifest.read(folder)
    manifest.shards = [replace(shard, documents=mark) for shard, mark in zip(manifest.shards, marks, strict=True)]
    replace(manifest, **changes).write(folder)  # type: ignore[arg-type]


@pytest.mark.parametrize("finished", [False, True])
def test_shards_that_an_older_version_marked_are_gone_on_with(tmp_path: Path, finished: bool) -> None:
    if finished:
        write(tmp_path / "s")
    else:
        with pytest.raises(RuntimeError, match="interrupted"):
            write(tmp_path / "s", Hashing(fail_after=40))
    chain = Chain()
    marks = [chain.add(DOCUMENTS[start : start + 20]) for start in range(0, 50 if finished else 40, 20)]
    corpus = {"name": "docs", "fingerprint": fingerprint(TEXTS) if finished else ""}
    _remarked(tmp_path / "s", marks, corpus=corpus)
    with pytest.raises(ValueError, match="made from other ids or texts"):
        write(tmp_path / "s", documents=[*DOCUMENTS[:30], Document("id 30", "another"), *DOCUMENTS[31:]])
    encoder = Hashing()
    assert write(tmp_path / "s", encoder).texts == TEXTS
    assert encoder.done == (0 if finished else 10)


def test_a_store_whose_corpus_was_known_as_a_whole_is_compared_with_all_texts(tmp_path: Path) -> None:
    write(tmp_path / "s", fingerprint=fingerprint(TEXTS))
    other = [*DOCUMENTS[:30], Document("id 30", "another"), *DOCUMENTS[31:]]
    with pytest.raises(ValueError, match="was made from other texts"):
        write(tmp_path / "s", documents=other)
    assert write(tmp_path / "s").texts == TEXTS
    manifest = Manifest.read(tmp_path / "s")
    replace(manifest, shards=manifest.shards[:1], complete=False).write(tmp_path / "s")
    with pytest.raises(ValueError, match="was begun by a training or an evaluation: go on with that"):
        write(tmp_path / "s", documents=other)
    assert write(tmp_path / "s", fingerprint=fingerprint(TEXTS)).texts == TEXTS


def test_a_shard_costs_a_line_and_not_a_manifest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[int] = []
    whole = Manifest.write
    monkeypatch.setattr(Manifest, "write", lambda self, folder: (written.append(len(self.shards)), whole(self, folder)))
    write(tmp_path / "undisturbed", shard_rows=2)
    assert written == [1, 25]
    with pytest.raises(RuntimeError, match="interrupted"):
        write(tmp_path / "s", Hashing(fail_after=20), shard_rows=2)
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
    write(tmp_path / "s", shard_rows=2)
    assert files(tmp_path / "s") == files(tmp_path / "undisturbed")
