"""The base of all indexes: checks rows, ids and queries, saves to a folder."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from projhead.codecs.base import BaseCodec
from projhead.data import Footprint
from projhead.indexes.ids import Ids, Places
from projhead.indexes.rows import rows_of, unit_blocks
from projhead.persistence.files import expect_local
from projhead.persistence.folder import read_switched, write_switched
from projhead.persistence.names import current, name_of, trusting
from projhead.persistence.record import Record
from projhead.persistence.registry import Described, build, parameters_of, spec_of
from projhead.protocols import Engine, Rows
from projhead.vectors import Vectors, unit_rows

_KEYS = {"index", "dimension", "n_places"}


class BaseIndex(ABC):
    """Base of every index: ids outside, places inside.

    A subclass keeps its arguments as attributes and works with places: the n-th row ever added has place n, unless
    `compacts` says that rows after a deleted one move up.

    Attributes
    ----------
    dimension : int
        Width d of the rows, after `build`.
    metadata : dict
        What the rows are, as JSON; saved with them.
    """

    #: Whether rows after a deleted one take its place.
    compacts = False
    dimension: int
    ids: Ids
    metadata: dict[str, Any]
    _loaded: tuple[Path, str] | None = None

    def coded(self, codec: BaseCodec) -> Self:
        """Return this index, not built yet, with rows stored by a codec.

        Raises
        ------
        ValueError
            If this kind stores rows in its own way.
        """
        raise ValueError(
            f"{type(self).__name__} stores rows in its own way, got codec={codec.name}: leave the codec out, "
            "or choose index=exact, ivf or rescore"
        )

    def built_by(self, engine: Engine) -> Self:
        """Return this index, not built yet, with an engine to do the work.

        Raises
        ------
        ValueError
            If this kind is built in one process.
        """
        raise ValueError(f"{type(self).__name__} is built in one process: leave the engine out, or take faiss_on_disk")

    @abstractmethod
    def _build(self, rows: Rows) -> None: ...

    @abstractmethod
    def _add(self, rows: Rows) -> None:
        """Add rows in the places from `self.ids.n_places` on; they were checked."""

    @abstractmethod
    def _delete(self, places: Places) -> None: ...

    @abstractmethod
    def _search(self, queries: Vectors, top_k: int, filter_ids: Places | None) -> tuple[Vectors, Places]:
        """Return scores and places (q, top_k), best first, place -1 where nothing was found."""

    @abstractmethod
    def _write(self, folder: Path) -> None: ...

    @abstractmethod
    def _read(self, folder: Path) -> None:
        """Read what `_write` wrote; `self.dimension` and `self.ids` are known."""

    @abstractmethod
    def _nbytes(self) -> int: ...

    @abstractmethod
    def footprint(self, n: int, dimension: int) -> Footprint:
        """Return what `n` rows of a width would take."""

    def _replaced(self, folder: Path) -> None:  # noqa: B027
        """Let go of what the older data in `folder` held elsewhere; the new is safe on disk."""

    def build(self, rows: Rows | ArrayLike, ids: ArrayLike | None = None) -> Self:
        """Train on and add rows (n, d), float, in place of what was there.

        Parameters
        ----------
        rows : Rows or array-like
            An `EmbeddingStore`, read block by block, or an array.
        ids : array-like of shape (n,), int, optional
            0 to n - 1 where not given.

        Raises
        ------
        ValueError
            If there are no rows, values are not finite, ids are not one per row, or the backend refuses them.
        """
        source = rows_of(rows)
        if not len(source):
            raise ValueError("expected at least one row to build an index from, got none")
        numbered = Ids.of(len(source), ids)
        self._build(source)
        self.dimension, self.ids, self.metadata, self._loaded = source.dimension, numbered, {}, None
        return self

    def add(self, rows: Rows | ArrayLike, ids: ArrayLike | None = None) -> Self:
        """Add rows (n, d), float; ids go on after the largest where not given.

        Raises
        ------
        ValueError
            If nothing was built, the width is another, values are not finite, or an id is here already. The index
            is then as before.
        """
        source = rows_of(rows)
        if source.dimension != self._built():
            raise ValueError(
                f"rows: expected width {self.dimension}, the index's, got {source.dimension}; use its encoder"
            )
        numbered = self.ids.added(len(source), ids)
        for _ in unit_blocks(source):  # before the first row is added
            pass
        self._add(source)
        self.ids = numbered
        return self

    def delete(self, ids: ArrayLike) -> int:
        """Delete rows by id; return how many.

        Raises
        ------
        ValueError
            If nothing was built, an id is not here, or this kind of index cannot delete.
        """
        self._built()
        places = self.ids.places(ids)
        self._delete(places)
        self.ids = self.ids.without(places, close=self.compacts)
        return len(places)

    def search(
        self, queries: ArrayLike, top_k: int, *, filter_ids: ArrayLike | None = None
    ) -> tuple[Vectors, NDArray[np.int64]]:
        """Find the `top_k` nearest rows of each query (q, d).

        Parameters
        ----------
        queries : array-like of shape (q, d)
            Made unit length.
        top_k : int
        filter_ids : array-like of int, optional
            Look only among the rows with these ids, where this kind of index can.

        Returns
        -------
        scores : ndarray of shape (q, top_k), float32, best first
            Inner products of unit rows, as exact as the index holds them.
        ids : ndarray of shape (q, top_k), int64
            -1, with a score of -inf, where the index holds or finds fewer.

        Raises
        ------
        ValueError
            If nothing was built, widths differ, values are not finite, or it cannot look among some only.
        """
        rows = unit_rows(queries, "queries")
        if rows.shape[1] != self._built():
            raise ValueError(
                f"queries: expected width {self.dimension}, the index's, got {rows.shape[1]}; use its encoder"
            )
        if top_k < 1:
            raise ValueError(f"top_k: expected a positive number, got {top_k}")
        scores = np.full((len(rows), top_k), -np.inf, np.float32)
        found = np.full((len(rows), top_k), -1, np.int64)
        places = None if filter_ids is None else self.ids.places(filter_ids)
        most = min(top_k, len(self.ids) if places is None else len(places))
        if most and len(rows):
            some, where = self._search(rows, most, places)
            scores[:, :most] = np.where(where >= 0, some, -np.inf)
            found[:, :most] = self.ids.at(where)
        return scores, found

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def nbytes(self) -> int:
        """Bytes that it holds in memory, memory-mapped files not counted."""
        self._built()
        return self._nbytes() + self.ids.nbytes

    def _built(self) -> int:
        if not hasattr(self, "dimension"):
            raise ValueError("the index is empty: build or load it first")
        return self.dimension

    def save(self, path: str | Path) -> None:
        """Write a folder, in place of an older index there; a kill leaves the old or the new.

        Raises
        ------
        ValueError
            If nothing was built, the folder holds something else, or another process wrote this index after it was
            loaded.
        """
        expect_local(path)
        record = {"index": spec_of(self), "dimension": self._built(), "n_places": self.ids.n_places}
        record["metadata"] = self.metadata
        folder = Path(path).resolve()
        after = self._loaded[1] if self._loaded and self._loaded[0] == folder else None
        digest = write_switched(folder, "index", record, self._write_all, after=after, replaced=self._replaced)
        self._loaded = (folder, digest)

    def _write_all(self, folder: Path) -> None:
        self.ids.write(folder)
        self._write(folder)

    def load(self, path: str | Path) -> Self:
        """Read what `save` wrote.

        Raises
        ------
        FileNotFoundError, ValueError
            If there is none; if it is damaged, or of another kind.
        """
        return self._from(Path(path).resolve(), *read_switched(Path(path), "index", _KEYS))

    def _from(self, path: Path, record: Record, folder: Path) -> Self:
        kind, found = name_of(type(self)), record.body["index"]["class"]
        if current(found) != kind:
            raise ValueError(f"{path}: expected an index of {kind}, got {found}; use load_index")
        for name in ("dimension", "n_places"):
            if type(record.body[name]) is not int or record.body[name] < 0:
                raise ValueError(f"{path}: {name}: expected a whole number, got {record.body[name]!r:.80}")
        if unknown := next(_described(self), ""):
            raise ValueError(f"{path}: {unknown}: expected a setting of the index, got something else; build it again")
        self.ids = Ids.read(folder, record.body["n_places"])
        self.dimension = record.body["dimension"]
        metadata = record.body.get("metadata", record.body.get("about"))  # as older versions call it
        if not isinstance(metadata, dict):
            raise ValueError(
                f"{path}: metadata: expected what the rows are, got {metadata!r:.80}; build the index again"
            )
        self.metadata = metadata
        self._read(folder)
        self._loaded = (path, record.sha256)
        return self


def _described(index: BaseIndex) -> Iterator[str]:
    """Yield the names of settings that a record only describes."""
    for name, value in parameters_of(index).items():
        if isinstance(value, Described):
            yield name
        elif isinstance(value, BaseIndex):
            yield from _described(value)


def load_index(path: str | Path, *, verify: bool | None = None, trusted: Sequence[str] = ()) -> BaseIndex:
    """Load an index of any kind, with the settings that it was built with.

    Parameters
    ----------
    path : path
    verify : bool, optional
        Compare every file's sha256 with the record's; where not given, of indexes of up to 1 GB.
    trusted : sequence of str
        Packages of the user's own whose classes the record may name: their code is run.

    Raises
    ------
    FileNotFoundError, ValueError
        If there is none; if it is damaged, or names a class that is no index, neither projhead's nor `trusted`.
    """
    record, folder = read_switched(Path(path), "index", _KEYS, verify=verify)
    with trusting(trusted):
        index = build(record.body["index"], "index")
        if not isinstance(index, BaseIndex):
            raise ValueError(f"{path}: {record.body['index']['class']} is not an index: refused")
        return index._from(Path(path).resolve(), record, folder)
