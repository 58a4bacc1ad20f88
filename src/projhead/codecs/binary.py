"""One bit for each dimension, or for each direction of a random rotation."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from projhead.codecs._fake_quantize import FakeQuantized, straight_through
from projhead.codecs.base import BaseCodec, State
from projhead.settings.ranges import Count, Seed
from projhead.vectors import Vectors


class Binary(BaseCodec):
    """Which side of its median each value is on; queries stay float.

    A bit stands for the mean of the values on its side, so that scores are inner products with the nearest row
    that bits can say (asymmetric distances: Gordo et al., "Asymmetric distances for binary embeddings", 2014).
    A random rotation gives any number of bits (Charikar, "Similarity estimation techniques from rounding
    algorithms", 2002), its directions orthonormal as far as there are dimensions.

    Parameters
    ----------
    n_bits : int, optional
        Bits of a code, after a random rotation. Where not given, one for each dimension, not rotated.
    random_state : int
        Seed of the rotation.

    References
    ----------
    - https://doi.org/10.1145/509907.509965
    """

    def __init__(self, n_bits: Count | None = None, random_state: Seed = 0) -> None:
        if n_bits is not None and (type(n_bits) is not int or n_bits < 1):
            raise ValueError(f"n_bits: expected a positive whole number, got {n_bits!r}")
        self.n_bits, self.random_state = n_bits, random_state
        self.name = "binary" if n_bits is None else f"rotated_binary_{n_bits}"

    def layout(self, dimension: int) -> tuple[np.dtype[Any], int]:
        """Return the dtype and the number of items of one code: eight bits in each."""
        return np.dtype(np.uint8), -(-(self.n_bits or dimension) // 8)

    def _shapes(self, dimension: int) -> dict[str, tuple[int, ...]]:
        bits = self.n_bits or dimension
        rotation = {} if self.n_bits is None else {"rotation": (bits, dimension)}
        return {"median": (bits,), "levels": (2, bits), **rotation}

    def _fit(self, rows: Vectors) -> State:
        rotation: State = {}
        if self.n_bits is not None:
            rotation = {"rotation": self._directions(rows)}
            rows = rows @ rotation["rotation"].T
        median = np.median(rows, axis=0)
        above = rows > median
        levels = np.stack([_means(rows, ~above, median), _means(rows, above, median)])
        return {"median": median, "levels": levels, **rotation}

    def _directions(self, rows: Vectors) -> Vectors:
        assert self.n_bits is not None
        return _orthonormal(self.n_bits, rows.shape[1], self.random_state)

    def _encode(self, rows: Vectors) -> NDArray[Any]:
        if "rotation" in self.state:
            rows = rows @ self.state["rotation"].T
        return np.packbits(rows > self.state["median"], axis=1)

    def _decode(self, codes: NDArray[Any]) -> NDArray[Any]:
        low, high = self.state["levels"]
        bits = np.unpackbits(codes, axis=1, count=len(low)).astype(bool)
        rows: NDArray[Any] = np.where(bits, high, low)
        return rows @ self.state["rotation"] if "rotation" in self.state else rows

    def fake_quantized(self) -> FakeQuantizedBinary:
        """Return the fitted codec as a torch module."""
        return FakeQuantizedBinary(**{name: torch.from_numpy(array) for name, array in self.state.items()})


def _means(rows: Vectors, chosen: NDArray[np.bool_], median: Vectors) -> Vectors:
    """Return the mean of the chosen values of each column; the median where none is."""
    count = chosen.sum(axis=0)
    sums = np.where(chosen, rows, 0).sum(axis=0, dtype=np.float64)
    means: Vectors = np.where(count > 0, sums / np.maximum(count, 1), median).astype(np.float32)
    return means


def _orthonormal(n_bits: int, dimension: int, seed: int) -> Vectors:
    """Return random directions (n_bits, dimension): orthonormal rows, or columns where there are more rows."""
    size = max(n_bits, dimension), min(n_bits, dimension)
    basis, triangle = np.linalg.qr(np.random.default_rng(seed).standard_normal(size))
    basis *= np.sign(np.diag(triangle))  # makes the distribution uniform (Mezzadri, 2007)
    directions: Vectors = (basis if n_bits >= dimension else basis.T).astype(np.float32)
    return directions


class FakeQuantizedBinary(FakeQuantized):
    """Which side of a learned threshold each value is on, and a learned value for either side.

    The bit itself passes gradients straight, as Bengio et al. do, but only as far from the threshold as the two
    values are apart: beyond, no small step changes it (Hubara et al., "Binarized neural networks", 2016).

    Parameters
    ----------
    median : Tensor of shape (bits,)
        Thresholds to start from.
    levels : Tensor of shape (2, bits)
        What a bit of 0 and a bit of 1 stand for.
    rotation : Tensor of shape (bits, k), optional
        Directions whose values are compared; the dimensions themselves where not given.

    References
    ----------
    - https://arxiv.org/abs/1308.3432
    - https://arxiv.org/abs/1602.02830
    """

    def __init__(self, median: Tensor, levels: Tensor, rotation: Tensor | None = None) -> None:
        super().__init__()
        self.median, self.levels = nn.Parameter(median.clone()), nn.Parameter(levels.clone())
        self.rotation = None if rotation is None else nn.Parameter(rotation.clone())

    def forward(self, rows: Tensor) -> Tensor:
        """Return what the bits of rows stand for (b, k)."""
        turned = rows if self.rotation is None else rows @ self.rotation.T
        low, high = self.levels
        above = turned - self.median
        near = (above.abs() <= (high - low).abs()).detach()
        # The threshold takes the gradient that the value takes, with the other sign.
        decoded = straight_through(above * near, torch.where(above > 0, high, low))
        return decoded if self.rotation is None else decoded @ self.rotation
