"""RaBitQ: one bit for each dimension and two correcting numbers."""

from __future__ import annotations

from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from projhead.codecs.base import BaseCodec, State
from projhead.codecs.binary import _orthonormal
from projhead.settings.ranges import Seed
from projhead.vectors import Vectors


class RaBitQ(BaseCodec):
    """Signs of a randomly rotated, centered row, as FAISS codes them.

    Gao and Long, "RaBitQ: quantizing high-dimensional vectors with a theoretical error bound", 2024. FAISS 1.15
    decodes no more than the sign of codes with more bits: those are for its indexes (``RR384,RaBitQ4``).

    Parameters
    ----------
    random_state : int
        Seed of the rotation.

    References
    ----------
    - https://arxiv.org/abs/2405.12497
    """

    name = "rabitq"

    def __init__(self, random_state: Seed = 0) -> None:
        self.random_state = random_state

    def _quantizer(self, dimension: int) -> Any:
        return faiss.RaBitQuantizer(dimension, faiss.METRIC_INNER_PRODUCT)

    def layout(self, dimension: int) -> tuple[np.dtype[Any], int]:
        """Return the dtype and the number of items of one code: bits, then FAISS's corrections."""
        return np.dtype(np.uint8), int(self._quantizer(dimension).code_size)

    def _shapes(self, dimension: int) -> dict[str, tuple[int, ...]]:
        return {"rotation": (dimension, dimension), "centroid": (dimension,)}

    def _fit(self, rows: Vectors) -> State:
        rotation = _orthonormal(rows.shape[1], rows.shape[1], self.random_state)
        return {"rotation": rotation, "centroid": (rows @ rotation.T).mean(axis=0)}

    def _encode(self, rows: Vectors) -> NDArray[Any]:
        # In double, as corrections hold every bit of a float: a row alone is coded like one among many.
        turned = (rows @ self.state["rotation"].T.astype(np.float64)).astype(np.float32)
        codes = np.zeros((len(rows), self.layout(self.dimension)[1]), np.uint8)
        self._quantizer(self.dimension).compute_codes_core(
            faiss.swig_ptr(turned), faiss.swig_ptr(codes), len(rows), faiss.swig_ptr(self.state["centroid"])
        )
        return codes

    def _decode(self, codes: NDArray[Any]) -> NDArray[Any]:
        given, turned = np.ascontiguousarray(codes), np.empty((len(codes), self.dimension), np.float32)
        self._quantizer(self.dimension).decode_core(
            faiss.swig_ptr(given), faiss.swig_ptr(turned), len(codes), faiss.swig_ptr(self.state["centroid"])
        )
        rows: NDArray[Any] = turned @ self.state["rotation"]
        return rows
