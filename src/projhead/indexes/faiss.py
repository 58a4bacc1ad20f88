"""FAISS indexes from any factory string."""

from __future__ import annotations

from pathlib import Path
from typing import Self

import faiss
import numpy as np
from numpy.typing import ArrayLike, NDArray

from projhead.files import atomic_file
from projhead.vectors import Vectors, unit_rows

#: Rows added at once.
_BLOCK = 65_536


class FaissIndex:
    """A FAISS index (Douze et al., "The Faiss library", 2024) with the inner product as its metric.

    Parameters
    ----------
    factory : str
        A FAISS factory string: ``"Flat"``, ``"IVF256,Flat"``, ``"HNSW32"``, ``"OPQ32,PQ32"``, ...
    nprobe : int, optional
        Lists an IVF index visits per query; FAISS's default of 1 where not given.

    Attributes
    ----------
    index : faiss.Index
        The FAISS object itself, after `build` or `load`.
    """

    def __init__(self, factory: str = "Flat", *, nprobe: int | None = None) -> None:
        self.factory, self.nprobe = factory, nprobe
        self.index: faiss.Index | None = None

    def build(self, rows: Vectors) -> Self:
        """Train on and add unit rows (n, d), float16 or float32.

        Raises
        ------
        ValueError
            If FAISS does not know the factory string, or it would not use the inner product.
        """
        try:
            index = faiss.index_factory(rows.shape[1], self.factory, faiss.METRIC_INNER_PRODUCT)
        except RuntimeError as error:
            reason = str(error).splitlines()[0]
            raise ValueError(
                f"FAISS refuses the factory string {self.factory!r} for width {rows.shape[1]}: {reason}"
            ) from None
        if index.metric_type != faiss.METRIC_INNER_PRODUCT:
            raise ValueError(
                f"{self.factory!r} does not use the inner product, which projhead's scores are; choose another"
            )
        if not index.is_trained:
            sample = np.random.default_rng(0).permutation(len(rows))[: 4 * _BLOCK]
            index.train(unit_rows(rows[np.sort(sample)]))
        for start in range(0, len(rows), _BLOCK):
            index.add(unit_rows(rows[start : start + _BLOCK]))
        self.index = self._tuned(index)
        return self

    def _tuned(self, index: faiss.Index) -> faiss.Index:
        if self.nprobe is not None:
            faiss.ParameterSpace().set_index_parameter(index, "nprobe", self.nprobe)
        return index

    def search(self, queries: ArrayLike, top_k: int) -> tuple[Vectors, NDArray[np.int64]]:
        """Find the `top_k` nearest rows of each query (q, d).

        Returns
        -------
        scores : ndarray of shape (q, top_k), float32, best first
        rows : ndarray of shape (q, top_k), int64
            -1 where the index found fewer.
        """
        if self.index is None:
            raise ValueError("the index is empty: build or load it first")
        rows = unit_rows(queries, "queries")
        if rows.shape[1] != self.index.d:
            raise ValueError(
                f"queries: expected width {self.index.d}, the index's, got {rows.shape[1]}; use its encoder"
            )
        scores, found = self.index.search(rows, top_k)
        return scores, found

    def save(self, path: Path) -> None:
        """Write the index to one file that stock FAISS reads."""
        if self.index is None:
            raise ValueError("the index is empty: build it first")
        with atomic_file(path) as temporary:
            faiss.write_index(self.index, str(temporary))

    def load(self, path: Path) -> Self:
        """Read a file that `save`, or stock FAISS, wrote.

        Raises
        ------
        ValueError
            If it is damaged, or does not use the inner product.
        """
        try:
            index = faiss.read_index(str(path))
        except RuntimeError as error:
            raise ValueError(f"{path} is not a FAISS index, or damaged: {str(error).splitlines()[0]}") from None
        if index.metric_type != faiss.METRIC_INNER_PRODUCT:
            raise ValueError(f"{path}: expected an index with the inner product, got metric {index.metric_type}")
        self.index = self._tuned(index)
        return self
