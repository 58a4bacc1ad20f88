"""Product quantization."""

from __future__ import annotations

from typing import Any

import faiss
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from projhead.codecs._faiss import lists_of_codes, matrix_products, opq_rotation
from projhead.codecs._fake_quantize import FakeQuantized, straight_through
from projhead.codecs.base import BaseCodec, State
from projhead.settings.ranges import Count
from projhead.vectors import Vectors

_CENTROIDS = 256  # a byte each


class ProductQuantizer(BaseCodec):
    """A byte for each group of neighboring dimensions: the nearest of 256 centroids there, as FAISS trains them.

    Jégou et al., "Product quantization for nearest neighbor search", 2011; with `rotate` dimensions are mixed
    first so that groups share the variance (OPQ: Ge et al., "Optimized product quantization", 2013).

    Parameters
    ----------
    n_bytes : int
        Length of a code; the width must be a multiple of it.
    rotate : bool
        Learn a rotation: OPQ, some twenty times slower to fit.

    References
    ----------
    - https://doi.org/10.1109/TPAMI.2010.57
    - https://doi.org/10.1109/TPAMI.2013.240
    """

    def __init__(self, n_bytes: Count = 32, rotate: bool = False) -> None:
        if type(n_bytes) is not int or n_bytes < 1:
            raise ValueError(f"n_bytes: expected a positive whole number, got {n_bytes!r}")
        self.n_bytes, self.rotate = n_bytes, rotate
        self.name = f"{'opq' if rotate else 'pq'}_{n_bytes}"

    def layout(self, dimension: int) -> tuple[np.dtype[Any], int]:
        """Return the dtype and the number of items of one code.

        Raises
        ------
        ValueError
            If the width is no multiple of the bytes.
        """
        if dimension % self.n_bytes:
            raise ValueError(
                f"{self.name}: expected rows of a width that is a multiple of {self.n_bytes} bytes, got {dimension}; "
                "choose another n_bytes"
            )
        return np.dtype(np.uint8), self.n_bytes

    def _shapes(self, dimension: int) -> dict[str, tuple[int, ...]]:
        rotation = {"rotation": (dimension, dimension)} if self.rotate else {}
        return {"centroids": (self.n_bytes, _CENTROIDS, dimension // self.n_bytes), **rotation}

    @matrix_products()
    def _fit(self, rows: Vectors) -> State:
        if len(rows) < _CENTROIDS:
            raise ValueError(f"{self.name}: expected at least {_CENTROIDS} rows to learn from, got {len(rows)}")
        rotation: State = {}
        if self.rotate:
            rotation = {"rotation": opq_rotation(rows, self.n_bytes)}
            rows = rows @ rotation["rotation"].T
        quantizer = self._quantizer(rows.shape[1])
        quantizer.train(np.ascontiguousarray(rows))
        centroids = faiss.vector_to_array(quantizer.centroids)
        return {"centroids": centroids.reshape(self.n_bytes, _CENTROIDS, -1), **rotation}

    def _quantizer(self, dimension: int) -> faiss.ProductQuantizer:
        quantizer = faiss.ProductQuantizer(dimension, self.n_bytes, 8)
        quantizer.cp.min_points_per_centroid = 1  # fewer rows than 39 per centroid are a choice, not an accident
        return quantizer

    def _encode(self, rows: Vectors) -> NDArray[Any]:
        if self.rotate:
            rows = np.ascontiguousarray(rows @ self.state["rotation"].T)
        quantizer = self._quantizer(self.dimension)
        faiss.copy_array_to_vector(self.state["centroids"].ravel(), quantizer.centroids)
        codes: NDArray[Any] = quantizer.compute_codes(rows)
        return codes

    def _decode(self, codes: NDArray[Any]) -> NDArray[Any]:
        parts = self.state["centroids"][np.arange(self.n_bytes), codes]  # (n, n_bytes, d / n_bytes)
        rows: NDArray[Any] = parts.reshape(len(codes), self.dimension)
        return rows @ self.state["rotation"] if self.rotate else rows

    def fake_quantized(self) -> FakeQuantizedGroups:
        """Return the fitted codec as a torch module."""
        return FakeQuantizedGroups(**{name: torch.from_numpy(array) for name, array in self.state.items()})

    def to_faiss(self, n_lists: int | None = None) -> Any:
        """Return the fitted codec as an empty index, its rotation before it; see `BaseCodec.to_faiss`."""
        d, form = self._fitted(), (self.n_bytes, 8, faiss.METRIC_INNER_PRODUCT)
        index = lists_of_codes(faiss.IndexIVFPQ, d, n_lists, *form) if n_lists else faiss.IndexPQ(d, *form)
        faiss.copy_array_to_vector(self.state["centroids"].ravel(), index.pq.centroids)
        index.is_trained = not n_lists
        if not self.rotate:
            return index
        rotation = faiss.LinearTransform(self.dimension, self.dimension, False)
        faiss.copy_array_to_vector(self.state["rotation"].ravel(), rotation.A)
        rotation.is_trained = True
        return faiss.IndexPreTransform(rotation, index)


class FakeQuantizedGroups(FakeQuantized):
    """The nearest centroid in each group of dimensions.

    Centroids move with the loss while rows choose among them by distance, as in Zhan et al., "Jointly optimizing
    query encoder and product quantization", 2021; their choice is made anew in every step, as in van den Oord et
    al., "Neural discrete representation learning", 2017.

    Parameters
    ----------
    centroids : Tensor of shape (groups, 256, e)
        Where to start; k is groups times e.
    rotation : Tensor of shape (k, k), optional
        Applied to rows first, and undone.

    References
    ----------
    - https://arxiv.org/abs/2108.00644
    - https://arxiv.org/abs/1711.00937
    """

    def __init__(self, centroids: Tensor, rotation: Tensor | None = None) -> None:
        super().__init__()
        self.centroids = nn.Parameter(centroids.clone())
        self.rotation = None if rotation is None else nn.Parameter(rotation.clone())

    def forward(self, rows: Tensor) -> Tensor:
        """Return the chosen centroids (b, k)."""
        turned = rows if self.rotation is None else rows @ self.rotation.T
        groups, _, width = self.centroids.shape
        with torch.no_grad():
            parts = turned.view(-1, groups, width).transpose(0, 1)  # (groups, b, e)
            away = self.centroids.square().sum(2)[:, None] - 2 * parts @ self.centroids.transpose(1, 2)
            nearest = away.argmin(2, keepdim=True).expand(-1, -1, width)
        chosen = self.centroids.gather(1, nearest)
        decoded = straight_through(turned, chosen.transpose(0, 1).flatten(1))
        return decoded if self.rotation is None else decoded @ self.rotation
