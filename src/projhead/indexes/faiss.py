"""FAISS indexes from any factory string."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import faiss
import numpy as np

from projhead.codecs._faiss import matrix_products, write_faiss
from projhead.data import Footprint
from projhead.indexes.base import BaseIndex
from projhead.indexes.faiss_bytes import estimated, measured
from projhead.indexes.ids import Places
from projhead.indexes.rows import sample, unit_blocks
from projhead.protocols import Rows
from projhead.settings.ranges import Count, Positive
from projhead.vectors import Vectors

#: Rows trained on, at most, and for each list of an IVF index, where that is more.
_TRAIN, _TRAIN_PER_LIST = 262_144, 64
FILE = "index.faiss"
_PACKED = (faiss.IndexFastScan, faiss.IndexIVFFastScan)
#: What holds another index, and under which name.
_WITHIN = ("index", "base_index", "refine_index", "storage", "quantizer")


class FaissIndex(BaseIndex):
    """A FAISS index (Douze et al., "The Faiss library", 2024) with the inner product as its metric.

    Parameters
    ----------
    factory : str
        A FAISS factory string: ``"Flat"``, ``"IVF256,Flat"``, ``"HNSW32"``, ``"OPQ32,PQ32"``, ``"RR384,RaBitQ"``,
        ``"IVF1024,PQ32x4fs,RFlat"``, ...
    nprobe : int, optional
        Lists an IVF index visits per query; FAISS's default of 1 where not given.
    ef_search : int, optional
        Candidates an HNSW index holds while it searches; FAISS's default of 16 where not given.
    k_factor : float, optional
        Candidates per neighbor asked for that a refining index (``...,RFlat``) compares again.

    Attributes
    ----------
    index : faiss.Index
        The FAISS object itself, after `build` or `load`. Its row numbers are places.
    """

    def __init__(
        self,
        factory: str = "Flat",
        *,
        nprobe: Count | None = None,
        ef_search: Count | None = None,
        k_factor: Positive | None = None,
    ) -> None:
        self.factory, self.nprobe, self.ef_search, self.k_factor = factory, nprobe, ef_search, k_factor
        self.index: Any = None

    @property
    def compacts(self) -> bool:  # type: ignore[override]
        """Whether rows after a deleted one take its place: in lists they do not."""
        return not isinstance(inmost(self.index), faiss.IndexIVF)

    def _made(self, dimension: int) -> Any:
        """Return the index, empty."""
        try:
            index = faiss.index_factory(dimension, self.factory, faiss.METRIC_INNER_PRODUCT)
        except RuntimeError as error:
            raise ValueError(
                f"FAISS refuses the factory string {self.factory!r} for width {dimension}: {_reason(error)}"
            ) from None
        _check(index, repr(self.factory))
        return index

    @matrix_products()
    def _trained(self, rows: Rows) -> Any:
        """Return the index, empty, trained on some of the rows."""
        index = self._made(rows.dimension)
        lists = faiss.try_extract_index_ivf(index)
        for one in _within(index):
            for part in (one, getattr(one, "pq", None)):
                if (clustering := getattr(part, "cp", None)) is not None:
                    clustering.min_points_per_centroid = 1  # fewer than 39 rows are a choice, not an accident
        try:
            if not index.is_trained:
                index.train(sample(rows, max(_TRAIN, _TRAIN_PER_LIST * lists.nlist if lists else 0)))
        except RuntimeError as error:
            raise ValueError(f"FAISS cannot build {self.factory!r} on {len(rows):,} rows: {_reason(error)}") from None
        return index

    @matrix_products()
    def _build(self, rows: Rows) -> None:
        index = self._trained(rows)
        for block in unit_blocks(rows):
            index.add(block)
        self.index = self._tuned(index)

    def _tuned(self, index: Any) -> Any:
        for name, value in (("nprobe", self.nprobe), ("efSearch", self.ef_search), ("k_factor_rf", self.k_factor)):
            if value is not None:
                try:
                    faiss.ParameterSpace().set_index_parameter(index, name, value)
                except RuntimeError:
                    raise ValueError(f"{self.factory!r} has no {name} to set to {value}: leave it out") from None
        return index

    def _add(self, rows: Rows) -> None:
        place = self.ids.n_places
        for block in unit_blocks(rows):
            if self.compacts:
                self.index.add(block)
            else:  # after a deletion FAISS would give numbers again that are in use
                self.index.add_with_ids(block, np.arange(place, place + len(block)))
            place += len(block)

    def _delete(self, places: Places) -> None:
        try:
            # FAISS 1.15 mixes what is added to packed codes later with what was deleted from them.
            if any(isinstance(one, _PACKED) for one in _within(self.index)):
                raise RuntimeError
            self.index.remove_ids(faiss.IDSelectorBatch(places))
        except RuntimeError:
            raise ValueError(
                f"FAISS cannot delete from {self.factory!r}: build the index again without these rows, or choose a "
                "Flat, SQ, PQ or IVF index"
            ) from None

    def _search(self, queries: Vectors, top_k: int, filter_ids: Places | None) -> tuple[Vectors, Places]:
        scores, places = self.index.search(
            queries, top_k, params=None if filter_ids is None else self._only(filter_ids)
        )
        return scores, places

    def _only(self, filter_ids: Places) -> Any:
        """Return search parameters for some places."""
        index, chosen = faiss.downcast_index(self.index), faiss.IDSelectorBatch(filter_ids)
        if isinstance(index, faiss.IndexIVF) and not isinstance(index, faiss.IndexIVFFastScan):
            kind = faiss.IVFRaBitQSearchParameters if "RaBitQ" in type(index).__name__ else faiss.SearchParametersIVF
            return kind(sel=chosen, nprobe=index.nprobe)
        if isinstance(index, faiss.IndexFlat | faiss.IndexScalarQuantizer):
            return faiss.SearchParameters(sel=chosen)
        raise ValueError(f"{self.factory!r} cannot look among some rows only: choose a Flat, SQ or IVF index, or exact")

    def _write(self, folder: Path) -> None:
        write_faiss(self.index, folder / FILE)

    def _read(self, folder: Path) -> None:
        self.index = self._tuned(read_faiss(folder / FILE))

    def _nbytes(self) -> int:
        return measured(self.index)

    def footprint(self, n: int, dimension: int) -> Footprint:
        """Return what `n` rows of a width would take; nothing is trained."""
        index = self._made(dimension)
        size = estimated(index, n)
        return Footprint(size, size)


class TrainedFaissIndex(FaissIndex):
    """Rows added to a trained, empty index, such as ``export=faiss_codes`` writes.

    Parameters
    ----------
    path : path
        The file of the empty index; it stays as it is, and is needed to build only.
    nprobe : int, optional
        As in `FaissIndex`.
    """

    def __init__(self, path: str, *, nprobe: Count | None = None) -> None:
        super().__init__("trained", nprobe=nprobe)
        self.path = str(path)

    def _made(self, dimension: int) -> Any:
        try:
            index = faiss.read_index(self.path)
        except RuntimeError as error:
            raise ValueError(f"{self.path} is not a FAISS index, or damaged: {_reason(error)}") from None
        _check(index, self.path)
        if not index.is_trained or index.ntotal or index.d != dimension:
            raise ValueError(
                f"{self.path}: expected a trained, empty index of rows of width {dimension}, got width {index.d}, "
                f"trained: {index.is_trained}, rows: {index.ntotal}; name what export=faiss_codes wrote"
            )
        return index


def read_faiss(file: Path, flags: int = 0) -> Any:
    """Read an index.

    Raises
    ------
    ValueError
        If it is none, or compares otherwise than by the inner product.
    """
    try:
        index = faiss.read_index(str(file), flags)
    except RuntimeError as error:
        raise ValueError(f"{file} is not a FAISS index: {_reason(error)}") from None
    _check(index, str(file))
    return index


def inmost(index: Any) -> Any:
    """Return what holds the rows of an index, behind transforms of them, as its own class."""
    index = faiss.downcast_index(index)
    while isinstance(index, faiss.IndexPreTransform):
        index = faiss.downcast_index(index.index)
    return index


def _within(index: Any) -> Iterator[Any]:
    """Yield an index and those that it is made of, each as its own class."""
    index = faiss.downcast_index(index)
    yield index
    for name in _WITHIN:
        if getattr(index, name, None) is not None:
            yield from _within(getattr(index, name))


def _check(index: Any, what: str) -> None:
    """Refuse an index that anywhere uses another metric: FAISS drops the one asked for in some kinds."""
    for one in _within(index):
        if one.metric_type != faiss.METRIC_INNER_PRODUCT:
            raise ValueError(
                f"{what}: expected the inner product, which projhead's scores are; FAISS's {type(one).__name__} uses "
                f"metric {one.metric_type}; choose another"
            )


def _reason(error: RuntimeError) -> str:
    return str(error).splitlines()[0]
