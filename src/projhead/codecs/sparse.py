"""The largest values of a row and where they are."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from projhead.codecs.base import BaseCodec, State
from projhead.settings.ranges import Count
from projhead.vectors import Vectors


class Sparse(BaseCodec):
    """The entries of largest absolute value: two bytes for the place of each, two for its value as float16.

    The plain form of sparse coding; scores are products of sparse matrices (`scipy.sparse`), never of filled rows.
    For vectors that were learned to be sparse (Formal et al., "SPLADE", 2021; Wen et al., "Beyond Matryoshka:
    revisiting sparse coding for adaptive representation", 2025) it loses little, for dense ones much.

    Parameters
    ----------
    n_bytes : int
        Of a code: four for each entry kept.

    References
    ----------
    - https://arxiv.org/abs/2107.05720
    - https://arxiv.org/abs/2503.01776
    """

    learns = False

    def __init__(self, n_bytes: Count = 128) -> None:
        if type(n_bytes) is not int or n_bytes < 4 or n_bytes % 4:
            raise ValueError(f"n_bytes: expected a multiple of 4, got {n_bytes!r}")
        self.n_bytes = n_bytes
        self.name = f"sparse_{n_bytes}"

    def layout(self, dimension: int) -> tuple[np.dtype[Any], int]:
        """Return the dtype and the number of items of one code: places, then values as bits of float16.

        Raises
        ------
        ValueError
            If rows of that width cannot be stored so.
        """
        kept = self.n_bytes // 4
        if not kept <= dimension <= 1 << 16:
            raise ValueError(
                f"{self.name}: expected rows of a width from {kept}, the entries kept, to 65,536, got {dimension}; "
                "choose another n_bytes"
            )
        return np.dtype(np.uint16), 2 * kept

    def _shapes(self, dimension: int) -> dict[str, tuple[int, ...]]:
        return {}

    def _fit(self, rows: Vectors) -> State:
        return {}

    def _encode(self, rows: Vectors) -> NDArray[Any]:
        kept, largest = self.n_bytes // 4, float(np.finfo(np.float16).max)
        places = np.sort(np.argpartition(-np.abs(rows), kept - 1, axis=1)[:, :kept], axis=1)
        values = np.take_along_axis(rows, places, axis=1)
        self.clipped += int((np.abs(values) > largest).sum())
        halves = np.clip(values, -largest, largest).astype(np.float16)
        return np.concatenate([places.astype(np.uint16), halves.view(np.uint16)], axis=1)

    def matrix(self, codes: NDArray[Any]) -> Any:
        """Return what codes (n, items) say as a scipy.sparse.csr_array (n, d), float32."""
        kept = self.n_bytes // 4
        values = np.ascontiguousarray(codes[:, kept:]).view(np.float16).astype(np.float32)
        starts = np.arange(0, values.size + 1, kept)
        return csr_array(
            (values.ravel(), codes[:, :kept].ravel().astype(np.int32), starts), (len(codes), self.dimension)
        )

    def _decode(self, codes: NDArray[Any]) -> NDArray[Any]:
        rows: NDArray[Any] = self.matrix(codes).toarray()
        return rows

    def similarities(self, queries: Vectors, codes: NDArray[Any]) -> Vectors:
        """Return the inner products (q, n), float32, of unit queries (q, d) with the codes' rows made unit length."""
        matrix = self.matrix(codes)
        lengths = np.sqrt(matrix.multiply(matrix).sum(axis=1))
        scores: Vectors = np.ascontiguousarray((matrix @ queries.T).T / np.where(lengths > 0, lengths, 1))
        return scores
