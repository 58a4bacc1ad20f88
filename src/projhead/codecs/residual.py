"""Residual quantization, whole or by groups of dimensions."""

from __future__ import annotations

from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from projhead.codecs._faiss import lists_of_codes, matrix_products
from projhead.codecs.base import BaseCodec, State
from projhead.settings.ranges import Count
from projhead.vectors import Vectors

_CENTROIDS = 256  # a byte each


class ResidualQuantizer(BaseCodec):
    """A byte for each stage: the centroid nearest to what the stages before left, as FAISS trains and searches them.

    Chen et al., "Approximate nearest neighbor search by residual vector quantization", 2010; with groups
    product-residual quantization (Babenko and Lempitsky, "Tree quantization for large-scale similarity search",
    2015, compare such forms). Fitting centroids again after all stages by least squares takes three times as long, and
    serves the rows that it sees alone: it is left out. What all rows share is large: ``256 * n_bytes * d / n_splits``
    floats, which with few rows is as much as they are.

    Parameters
    ----------
    n_bytes : int
        Length of a code.
    n_splits : int
        Groups of neighboring dimensions, each with as many stages; the width and `n_bytes` must be multiples of it.
    beam : int
        Candidates that the choice of centroids keeps from stage to stage.

    References
    ----------
    - https://doi.org/10.3390/s101211259
    - https://doi.org/10.1109/CVPR.2015.7299052
    """

    def __init__(self, n_bytes: Count = 16, n_splits: Count = 1, beam: Count = 5) -> None:
        for name, value in (("n_bytes", n_bytes), ("n_splits", n_splits), ("beam", beam)):
            if type(value) is not int or value < 1:
                raise ValueError(f"{name}: expected a positive whole number, got {value!r}")
        if n_bytes % n_splits:
            raise ValueError(f"n_bytes: expected a multiple of n_splits = {n_splits}, got {n_bytes}")
        self.n_bytes, self.n_splits, self.beam = n_bytes, n_splits, beam
        self.name = f"{'rq' if n_splits == 1 else 'prq'}_{n_bytes}"

    def layout(self, dimension: int) -> tuple[np.dtype[Any], int]:
        """Return the dtype and the number of items of one code.

        Raises
        ------
        ValueError
            If the width is no multiple of the groups.
        """
        if dimension % self.n_splits:
            raise ValueError(
                f"{self.name}: expected rows of a width that is a multiple of {self.n_splits} groups, got {dimension}; "
                "choose another n_splits"
            )
        return np.dtype(np.uint8), self.n_bytes

    def _shapes(self, dimension: int) -> dict[str, tuple[int, ...]]:
        return {"centroids": (self.n_splits, self.n_bytes // self.n_splits, _CENTROIDS, dimension // self.n_splits)}

    @matrix_products()
    def _fit(self, rows: Vectors) -> State:
        if len(rows) < _CENTROIDS:
            raise ValueError(f"{self.name}: expected at least {_CENTROIDS} rows to learn from, got {len(rows)}")
        found = []
        for part in self._groups(rows):
            quantizer = self._quantizer(part.shape[1])
            quantizer.train(part)
            found.append(faiss.vector_to_array(quantizer.codebooks).reshape(-1, _CENTROIDS, part.shape[1]))
        return {"centroids": np.stack(found)}

    def _groups(self, rows: Vectors) -> list[Vectors]:
        return [np.ascontiguousarray(part) for part in np.split(rows, self.n_splits, axis=1)]

    def _quantizer(self, dimension: int) -> Any:
        quantizer = faiss.ResidualQuantizer(dimension, self.n_bytes // self.n_splits, 8)
        quantizer.max_beam_size, quantizer.cp.min_points_per_centroid = self.beam, 1
        return quantizer

    def _encode(self, rows: Vectors) -> NDArray[Any]:
        codes = []
        for part, centroids in zip(self._groups(rows), self.state["centroids"], strict=True):
            quantizer = self._quantizer(part.shape[1])
            self._fill(quantizer, centroids)
            codes.append(quantizer.compute_codes(part))
        return np.concatenate(codes, axis=1)

    def _decode(self, codes: NDArray[Any]) -> NDArray[Any]:
        groups = zip(np.split(codes, self.n_splits, axis=1), self.state["centroids"], strict=True)
        parts = [sum(stage[byte] for byte, stage in zip(part.T, centroids, strict=True)) for part, centroids in groups]
        rows: NDArray[Any] = np.concatenate(parts, axis=1)
        return rows

    def to_faiss(self, n_lists: int | None = None) -> Any:
        """Return the fitted codec as an empty index; see `BaseCodec.to_faiss`."""
        stages, d, one = self.n_bytes // self.n_splits, self._fitted(), self.n_splits == 1
        form: tuple[Any, ...] = (stages, 8, faiss.METRIC_INNER_PRODUCT, faiss.AdditiveQuantizer.ST_LUT_nonorm)
        form = form if one else (self.n_splits, *form)
        if n_lists:
            kind = faiss.IndexIVFResidualQuantizer if one else faiss.IndexIVFProductResidualQuantizer
            index = lists_of_codes(kind, d, n_lists, *form)
        else:
            index = (faiss.IndexResidualQuantizer if one else faiss.IndexProductResidualQuantizer)(d, *form)
        whole = index.rq if one else index.prq
        self._fill(whole, self.state["centroids"])  # codes are read by these, and made by those of each group
        for group in range(0 if one else self.n_splits):
            self._fill(faiss.downcast_Quantizer(whole.subquantizer(group)), self.state["centroids"][group])
        index.is_trained = not n_lists
        return index

    def _fill(self, quantizer: Any, centroids: Vectors) -> None:
        faiss.copy_array_to_vector(centroids.ravel(), quantizer.codebooks)
        quantizer.is_trained = True
        if isinstance(quantizer, faiss.ResidualQuantizer):
            quantizer.max_beam_size = self.beam
