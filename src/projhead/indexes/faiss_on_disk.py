"""FAISS's inverted lists in a file, memory-mapped, built part by part."""

from __future__ import annotations

import errno
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Self
from weakref import finalize

import faiss
import numpy as np
from numpy.typing import NDArray

from projhead.codecs._faiss import matrix_products, write_faiss
from projhead.console.progress import progress
from projhead.console.quiet import silent
from projhead.data import Footprint
from projhead.engines.serial import Serial
from projhead.indexes.faiss import FILE, FaissIndex, inmost, read_faiss
from projhead.indexes.faiss_bytes import estimated
from projhead.indexes.ids import Places
from projhead.indexes.rows import block_rows, unit_blocks
from projhead.persistence.files import atomic_file
from projhead.protocols import Engine, Rows
from projhead.settings.ranges import Count
from projhead.vectors import Vectors, unit_rows

#: Rows that are put into lists at once, and for each list, where that is more.
_PART, _PART_PER_LIST = 65_536, 4
#: Bytes of what is known in memory of a list: its size, its room and where it lies.
_ENTRY = 24
_LISTS = "lists.ivfdata"


class FaissOnDiskIndex(FaissIndex):
    """A FAISS index whose inverted lists lie in a file: memory holds the quantizers and one part of the rows.

    Quantizers are trained on a sample. The lists of each part of the rows are made by themselves, by an engine where
    one is given (`built_by`), and merged where the index is saved, or searched before that. Answers are those of
    `FaissIndex` with the same factory string; the files are the same bytes, whatever made them. Nothing can be added
    or deleted.

    Parameters
    ----------
    factory : str
        A FAISS factory string with inverted lists: ``"IVF65536,Flat"``, ``"OPQ32,IVF65536_HNSW32,PQ32"``, ...
    nprobe : int, optional
        Lists visited per query; FAISS's default of 1 where not given.

    Attributes
    ----------
    index : faiss.Index
        Trained, after `build`; with its lists once they are there.
    """

    _engine: Engine = Serial()
    #: The rows of an index whose lists are not there yet.
    _rows: Rows | None = None

    def __init__(self, factory: str, *, nprobe: Count | None = None) -> None:
        super().__init__(factory, nprobe=nprobe)

    def built_by(self, engine: Engine) -> Self:
        """Return this index, not built yet, with lists made by an engine; its workers must see the index's folder."""
        self._engine = engine
        return self

    def _made(self, dimension: int) -> Any:
        index = super()._made(dimension)
        lists = inmost(index)
        plain = isinstance(lists, faiss.IndexIVF) and not isinstance(lists, faiss.IndexIVFFastScan | faiss.IndexIVFPQR)
        if not plain:
            raise ValueError(
                f"{self.factory!r} has no lists that can lie in a file: expected inverted lists of rows or codes, such "
                "as 'IVF1024,Flat', 'IVF1024,SQ8' or 'IVF1024,PQ32', without packed codes (...fs) and refinement "
                "(...,RFlat); choose one, or index=faiss, which holds all in memory"
            )
        return index

    def _build(self, rows: Rows) -> None:
        for _ in unit_blocks(rows):  # a row that is refused is told of before hours of work
            pass
        self.index, self._rows = self._tuned(self._trained(rows)), rows

    def _add(self, rows: Rows) -> None:
        raise ValueError("nothing can be added to lists that lie in a file: build the index anew, from all rows")

    def _delete(self, places: Places) -> None:
        raise ValueError("FAISS cannot delete from lists that lie in a file: build the index anew, without these rows")

    def _search(self, queries: Vectors, top_k: int, filter_ids: Places | None) -> tuple[Vectors, Places]:
        if self._rows is not None:  # never saved
            folder = tempfile.mkdtemp(prefix="projhead-")
            finalize(self, shutil.rmtree, folder, ignore_errors=True)
            self._write(Path(folder))
        return super()._search(queries, top_k, filter_ids)

    def _write(self, folder: Path) -> None:
        if self._rows is None:
            shutil.copyfile(_lists_of(self.index).filename, folder / _LISTS)
            _write_named(self.index, folder)
        else:
            _write_lists(self.index, self._rows, self._engine, folder)
        self._read(folder)

    def _read(self, folder: Path) -> None:
        with silent():  # FAISS prints where the lists are
            index = read_faiss(folder / FILE, faiss.IO_FLAG_ONDISK_SAME_DIR | faiss.IO_FLAG_READ_ONLY)
        self.index, self._rows = self._tuned(index), None

    def footprint(self, n: int, dimension: int) -> Footprint:
        """Return what `n` rows of a width would take; nothing is trained."""
        index = self._made(dimension)
        memory = estimated(index, 0) + _ENTRY * inmost(index).nlist
        return Footprint(memory, memory + estimated(index, n) - estimated(index, 0))


@dataclass(frozen=True, eq=False)
class Part:
    """Some of the rows, in order.

    Attributes
    ----------
    number : int
        Of the part.
    first : int
        The number of its first row.
    blocks : list of ndarray of shape (rows, d), float
    """

    number: int
    first: int
    blocks: list[NDArray[Any]]

    def __len__(self) -> int:
        return sum(map(len, self.blocks))


@matrix_products()
def write_part(part: Part, *, trained: Any, folder: Path) -> tuple[Path, int]:
    """Put a part of the rows into lists of its own; return their file, and how many rows there are.

    They depend on the part and the trained, empty index alone: any process of any machine that sees the folder may do
    so, more than once.
    """
    index, first = faiss.clone_index(trained), part.first
    for block in part.blocks:
        index.add_with_ids(unit_rows(block, "rows", first), np.arange(first, first + len(block)))
        first += len(block)
    path = folder / f"part-{part.number:05d}.lists"
    with atomic_file(path) as temporary, temporary.open("wb") as file:
        faiss.write_InvertedLists(inmost(index).invlists, faiss.PyCallbackIOWriter(file.write))
    return path, len(part)


def _parts(rows: Rows, n: int) -> Iterator[Part]:
    """Yield all rows in parts of `n` or somewhat more, in the blocks that an index in memory takes them in."""
    part, size = Part(0, 0, []), block_rows(rows.dimension)
    for block in rows.blocks():
        for start in range(0, len(block), size):
            part.blocks.append(block[start : start + size])
            if len(part) >= n:
                yield part
                part = Part(part.number + 1, part.first + len(part), [])
    if part.blocks:
        yield part


def _write_lists(trained: Any, rows: Rows, engine: Engine, folder: Path) -> None:
    """Write an index with the lists of all rows into a folder."""
    (apart := folder / "parts").mkdir()
    parts, files = _parts(rows, max(_PART, _PART_PER_LIST * inmost(trained).nlist)), []
    with progress(len(rows), "index", shown=sys.stderr.isatty(), unit="row") as bar:
        for file, n in engine.map(partial(write_part, trained=trained, folder=apart), parts):
            files.append(file)
            bar.update(n)
    _merge(trained, files, folder)
    shutil.rmtree(apart)  # and what workers that died have left


def _merge(trained: Any, files: Sequence[Path], folder: Path) -> None:
    """Write the lists of parts, one after the other, as one index.

    As `faiss.contrib.ondisk.merge_ondisk` does it, which reads the quantizers with every part, keeps the files open as
    long as the process lives, and whose `shift_ids` gives wrong ids where parts differ in size (FAISS 1.15).
    """
    if (free := shutil.disk_usage(folder).free) < (size := sum(file.stat().st_size for file in files)):
        # what does not fit into a memory-mapped file ends the process, and says nothing
        raise OSError(errno.ENOSPC, f"expected room for {size:,} bytes, got {free:,}", str(folder))
    parts, pointers = list(map(_mapped, files)), faiss.InvertedListsPtrVector()
    for part in parts:
        pointers.push_back(part.invlists)
    index = faiss.clone_index(trained)
    lists = inmost(index)
    merged = faiss.OnDiskInvertedLists(lists.nlist, lists.code_size, str(folder / _LISTS))
    with silent():
        index.ntotal = lists.ntotal = merged.merge_from_multiple(pointers.data(), pointers.size())
    lists.replace_invlists(merged, True)
    merged.this.disown()
    _write_named(index, folder)


def _mapped(file: Path) -> Any:
    """Return an index, else empty, of the lists in a file, memory-mapped as long as it is there."""
    lists = faiss.read_InvertedLists(faiss.FileIOReader(str(file)), faiss.IO_FLAG_MMAP)
    items, kind = lists.code_size, faiss.ScalarQuantizer.QT_8bit  # whose codes are as many bytes as dimensions
    holder = faiss.IndexIVFScalarQuantizer(faiss.IndexFlatIP(items), items, lists.nlist, kind)
    holder.replace_invlists(lists, True)
    return holder


def _write_named(index: Any, folder: Path) -> None:
    """Write an index that looks for its lists beside itself, wherever that is."""
    _lists_of(index).filename = _LISTS
    write_faiss(index, folder / FILE)


def _lists_of(index: Any) -> Any:
    return faiss.downcast_InvertedLists(inmost(index).invlists)
