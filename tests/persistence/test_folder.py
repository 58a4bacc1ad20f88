"""An index on disk: kills, other processes, changed bytes."""

from __future__ import annotations

import importlib.util
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from projhead.codecs.integer import Integer
from projhead.indexes.base import BaseIndex, load_index
from projhead.indexes.exact import ExactIndex
from projhead.indexes.faiss import FaissIndex
from projhead.indexes.faiss_binary import FaissBinaryIndex
from projhead.indexes.milvus import MilvusIndex
from projhead.indexes.rescore import RescoreIndex
from projhead.persistence.folder import write_switched
from projhead.persistence.record import Record, read_record
from projhead.vectors import Vectors


def kinds() -> dict[str, BaseIndex]:
    made = {
        "faiss": FaissIndex("IVF4,Flat", nprobe=4),
        "exact": ExactIndex(Integer(8)),
        "rescore": RescoreIndex(FaissBinaryIndex()),
    }
    return made if importlib.util.find_spec("pymilvus") is None else made | {"milvus": MilvusIndex()}


def test_of_two_that_change_an_index_the_second_is_told(rows: Vectors, tmp_path: Path) -> None:
    FaissIndex().build(rows).save(tmp_path / "index")
    one, other = load_index(tmp_path / "index"), load_index(tmp_path / "index")
    one.add(rows[:1]).save(tmp_path / "index")
    with pytest.raises(ValueError, match="was written by another process after it was loaded: load it and do it again"):
        other.add(rows[:2]).save(tmp_path / "index")
    other.save(tmp_path / "elsewhere")
    FaissIndex().build(rows[:9]).save(tmp_path / "index")  # built anew, in its place
    assert len(load_index(tmp_path / "index")) == 9


def test_a_folder_with_something_else_is_left_alone(rows: Vectors, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(ValueError, match=r"is not an index, and not empty \(thesis.txt\): choose another path"):
        FaissIndex().build(rows).save(tmp_path)
    assert [one.name for one in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_save_that_fails_leaves_the_old_index_alone(
    rows: Vectors, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    FaissIndex().build(rows).save(tmp_path / "index")
    index = load_index(tmp_path / "index").add(rows[:1])

    def full(path: Path) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr(index, "_write", full)
    with pytest.raises(OSError, match="No space"):
        index.save(tmp_path / "index")
    assert len(load_index(tmp_path / "index")) == 600


@pytest.mark.parametrize("before", [False, True])
def test_what_a_kill_left_gives_its_name_free_and_is_told_of(before: bool, tmp_path: Path) -> None:
    told = []

    def write(path: Path, content: str) -> None:
        write_switched(
            path, "index", {}, lambda data: (data / "rows").write_text(content) and None,
            replaced=lambda data: told.append((data / "rows").read_text()),
        )  # fmt: skip

    for path in (tmp_path / "killed", tmp_path / "undisturbed"):
        if before:
            write(path, "old")
    half = tmp_path / "killed" / f"data-{before:05d}"
    half.mkdir(parents=True)
    (half / "rows").write_text("half")
    write(tmp_path / "killed", "new")
    assert told == [*(["old"] if before else []), "half"]
    write(tmp_path / "undisturbed", "new")
    killed, undisturbed = (
        {str(one.relative_to(path)): one.read_bytes() for one in path.rglob("*") if one.is_file()}
        for path in (tmp_path / "killed", tmp_path / "undisturbed")
    )
    assert killed == undisturbed
    assert sorted(undisturbed) == [f"data-{before:05d}/rows", "index.json"]
    # A record that cannot be read may mean any of them: none goes before the new is there.
    (tmp_path / "killed" / "index.json").write_text("{")
    write(tmp_path / "killed", "newer")
    assert sorted(one.name for one in (tmp_path / "killed").iterdir()) == [f"data-{before + 1:05d}", "index.json"]


@pytest.mark.parametrize("kind", kinds())
def test_no_changed_byte_gives_another_answer_in_silence(kind: str, rows: Vectors, tmp_path: Path) -> None:
    generator, path = np.random.default_rng(0), tmp_path / "index"
    index = kinds()[kind].build(rows[:300], ids=np.arange(300) * 2)
    expected = index.search(rows[300:320], 5)
    index.save(path)
    files = sorted(file for file in path.rglob("*") if file.is_file() and file.stat().st_size)
    refused = 0
    for turn in range(100):
        file = files[turn % len(files)]
        whole = file.read_bytes()
        position, change = int(generator.integers(len(whole))), int(generator.integers(1, 256))
        file.write_bytes(whole[:position] + bytes([whole[position] ^ change]) + whole[position + 1 :])
        try:
            loaded = load_index(path)
        except ValueError:
            refused += 1
        else:  # a blank of the record, for another
            np.testing.assert_array_equal(loaded.search(rows[300:320], 5), expected)
        file.write_bytes(whole)
    assert refused >= 90
    for file in files:
        whole = file.read_bytes()
        os.truncate(file, len(whole) // 2)
        with pytest.raises(ValueError, match="damaged"):
            load_index(path)
        file.write_bytes(whole)
    np.testing.assert_array_equal(load_index(path).search(rows[300:320], 5), expected)


def test_missing_and_strange_files_and_records_are_refused(rows: Vectors, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no index in .*; build one with 'projhead index'"):
        load_index(tmp_path / "index")
    FaissIndex().build(rows).save(tmp_path / "index")
    data = tmp_path / "index" / "data-00000"
    (data / "more").write_text("")
    with pytest.raises(ValueError, match="more is damaged"):
        load_index(tmp_path / "index")
    (data / "more").unlink()
    good = read_record(tmp_path / "index", "index", ())

    def refused(match: str, **changed: object) -> None:
        Record("index", good.body | changed, good.files).write(tmp_path / "index")
        with pytest.raises(ValueError, match=match):
            load_index(tmp_path / "index")

    refused(
        "expected one of projhead's indexes, got 'os.system': refused", index={"class": "os.system", "parameters": {}}
    )
    refused("is not an index: refused", index={"class": "index/ArrayRows", "parameters": {"array": [[1]]}})
    refused("expected data in a folder such as data-00000", data="../index/data-00000")
    shutil.rmtree(data)
    refused("damaged")
