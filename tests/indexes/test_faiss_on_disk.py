"""Lists in a file answer as lists in memory do, whatever made them."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import pytest
from tests.engines.elsewhere import Elsewhere
from tests.indexes.rows import Shards

from projhead.engines.serial import Serial
from projhead.indexes import faiss_on_disk
from projhead.indexes.base import load_index
from projhead.indexes.exact import ExactIndex
from projhead.indexes.faiss import FaissIndex
from projhead.indexes.faiss_on_disk import FaissOnDiskIndex
from projhead.indexes.rescore import RescoreIndex
from projhead.persistence import folder
from projhead.vectors import Vectors, unit_rows

FACTORIES = ("IVF8,Flat", "IVF8,SQ8", "IVF8,PQ16x4np", "OPQ16,IVF8,PQ16x4np", "IVF8_HNSW8,Flat", "IVF8,RaBitQ")


class Dying:
    """An engine whose third item fails."""

    def map(self, function: Any, items: Iterable[Any]) -> Iterator[Any]:
        for number, item in enumerate(items):
            if number == 2:
                raise RuntimeError("killed")
            yield function(item)


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(faiss_on_disk, "_PART", 150)


def _files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("factory", FACTORIES)
def test_ids_and_scores_are_those_of_stock_faiss(factory: str, rows: Vectors, tmp_path: Path) -> None:
    shards = Shards(rows)
    stock = FaissIndex(factory).build(shards).index  # trained on the same rows
    stock.reset()
    for block in shards.blocks():
        stock.add(unit_rows(block))
    faiss.extract_index_ivf(stock).nprobe = 3
    index = FaissOnDiskIndex(factory, nprobe=3).build(shards)
    index.save(tmp_path / "index")
    assert sorted(_files(tmp_path / "index")) == ["data-00000/index.faiss", "data-00000/lists.ivfdata", "index.json"]
    for one in (index, load_index(tmp_path / "index")):
        scores, found = one.search(rows[:100], 7)
        expected = stock.search(unit_rows(rows[:100]), 7)
        np.testing.assert_array_equal(found, expected[1])
        np.testing.assert_array_equal(scores, np.where(expected[1] >= 0, expected[0], -np.inf))


def test_lists_made_elsewhere_are_the_same_bytes(rows: Vectors, tmp_path: Path) -> None:
    for name, engine in (("here", Serial()), ("elsewhere", Elsewhere())):
        FaissOnDiskIndex("IVF8,PQ16x4np").built_by(engine).build(Shards(rows)).save(tmp_path / name)
    assert _files(tmp_path / "here") == _files(tmp_path / "elsewhere")
    first = FaissOnDiskIndex("IVF8,SQ8", nprobe=8)
    index = RescoreIndex(first).built_by(Elsewhere()).build(Shards(rows))
    np.testing.assert_array_equal(index.search(rows[:9], 1)[1][:, 0], range(9))
    with pytest.raises(ValueError, match="ExactIndex is built in one process: leave the engine out"):
        ExactIndex().built_by(Serial())


def test_it_can_be_asked_before_it_is_saved_copied_and_moved(rows: Vectors, tmp_path: Path) -> None:
    index = FaissOnDiskIndex("IVF8,Flat", nprobe=8).build(rows, ids=np.arange(600) + 10)
    expected = index.search(rows[:50], 5)
    index.save(tmp_path / "index")
    loaded = load_index(tmp_path / "index")
    loaded.save(tmp_path / "index")
    loaded.save(tmp_path / "copy")
    shutil.rmtree(tmp_path / "index")
    (tmp_path / "copy").rename(tmp_path / "moved")
    np.testing.assert_array_equal(load_index(tmp_path / "moved").search(rows[:50], 5), expected)
    np.testing.assert_array_equal(loaded.search(rows[:50], 5), expected)
    found = loaded.search(rows[:50], 5, filter_ids=np.arange(30, 60))[1]
    assert ((found >= 30) & (found < 60)).all()


def test_nothing_is_added_deleted_or_altered(rows: Vectors, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    index = FaissOnDiskIndex("IVF8,SQ8", nprobe=8).build(rows)
    index.save(tmp_path / "index")
    before, loaded = _files(tmp_path / "index"), load_index(tmp_path / "index")
    with pytest.raises(ValueError, match="nothing can be added to lists that lie in a file: build the index anew"):
        loaded.add(rows[:3])
    with pytest.raises(ValueError, match="cannot delete from lists that lie in a file: build the index anew"):
        loaded.delete([3])
    loaded.search(rows, 3)
    assert (len(loaded), _files(tmp_path / "index")) == (600, before)
    with (tmp_path / "index" / "data-00000" / "lists.ivfdata").open("r+b") as file:
        file.write(b"\xff")
    with pytest.raises(ValueError, match=r"lists\.ivfdata is missing or altered"):
        load_index(tmp_path / "index")
    monkeypatch.setattr(folder, "VERIFIED_BYTES", 100)  # as if it were large
    load_index(tmp_path / "index")
    with pytest.raises(ValueError, match=r"lists\.ivfdata is missing or altered"):
        load_index(tmp_path / "index", verify=True)
    with (tmp_path / "index" / "data-00000" / "lists.ivfdata").open("ab") as file:
        file.write(b"more")
    with pytest.raises(ValueError, match=r"lists\.ivfdata is missing or altered"):
        load_index(tmp_path / "index")


def test_what_ends_in_the_middle_leaves_the_old_index_or_none(rows: Vectors, tmp_path: Path) -> None:
    for built in (False, True):
        if built:
            FaissOnDiskIndex("IVF8,Flat").build(rows).save(tmp_path / "index")
        before = _files(tmp_path)
        with pytest.raises(RuntimeError, match="killed"):
            FaissOnDiskIndex("IVF8,Flat").built_by(Dying()).build(Shards(rows)).save(tmp_path / "index")
        assert (_files(tmp_path), (tmp_path / "index").exists()) == (before, built)


KILLED = """
import os, signal
import numpy as np
from projhead.indexes import faiss_on_disk

faiss_on_disk._PART = 150
merge, part = faiss_on_disk._merge, faiss_on_disk.write_part

def killed(*arguments, **more):
    if {where!r} == "after":
        merge(*arguments, **more)
    os.kill(os.getpid(), signal.SIGKILL)

def killed_part(part_, *, trained, folder):
    part(part_, trained=trained, folder=folder)
    os.kill(os.getpid(), signal.SIGKILL)

if {where!r} == "part":
    faiss_on_disk.write_part = killed_part
else:
    faiss_on_disk._merge = killed
faiss_on_disk.FaissOnDiskIndex("IVF8,Flat").build(np.load({rows!r})).save({path!r})
"""


@pytest.mark.parametrize("where", ["part", "before", "after"])
@pytest.mark.parametrize("built", [False, True], ids=["new", "over an older one"])
def test_after_a_kill_the_same_build_leaves_the_same_folder(
    where: str, built: bool, rows: Vectors, tmp_path: Path
) -> None:
    index = FaissOnDiskIndex("IVF8,Flat")
    np.save(tmp_path / "rows.npy", rows)
    for name in ("killed", "undisturbed"):
        if built:
            FaissOnDiskIndex("IVF4,Flat").build(rows[:300]).save(tmp_path / name)
    program = KILLED.format(where=where, rows=str(tmp_path / "rows.npy"), path=str(tmp_path / "killed"))
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120)
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    assert (tmp_path / "killed" / f"data-{built:05d}").is_dir()  # half made
    for name in ("killed", "undisturbed"):
        index.build(rows).save(tmp_path / name)
    assert _files(tmp_path / "killed") == _files(tmp_path / "undisturbed")
    assert len(list((tmp_path / "killed").iterdir())) == 2


def test_its_size_is_estimated(rows: Vectors, tmp_path: Path) -> None:
    index, size = FaissOnDiskIndex("IVF8,SQ8").build(rows), FaissOnDiskIndex("IVF8,SQ8").footprint(600, 32)
    index.save(tmp_path)
    assert size.memory == pytest.approx(index.nbytes, abs=500)
    assert size.disk == pytest.approx(sum(map(len, _files(tmp_path).values())), abs=2000)


@pytest.mark.parametrize("factory", ["Flat", "IVF8,PQ16x4fs", "IVF8,Flat,RFlat", "HNSW16"])
def test_what_has_no_lists_for_a_file_is_refused(factory: str, rows: Vectors) -> None:
    with pytest.raises(ValueError, match=f"'{factory}' has no lists that can lie in a file: expected inverted lists"):
        FaissOnDiskIndex(factory).build(rows)


def test_a_full_disk_and_a_bad_row_are_told(rows: Vectors, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = rows.copy()
    broken[321, 4] = np.nan
    with pytest.raises(ValueError, match="first in row 321"):
        FaissOnDiskIndex("IVF8,Flat").build(broken)
    usage = shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(OSError, match=r"expected room for [\d,]+ bytes, got 1,000"):
        FaissOnDiskIndex("IVF8,Flat").build(rows).save(tmp_path / "index")
    assert not (tmp_path / "index").exists()
