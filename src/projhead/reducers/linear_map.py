"""A linear head as numpy arrays; a torch module only on request."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from numpy.typing import NDArray

from projhead.persistence.names import current
from projhead.vectors import Vectors

if TYPE_CHECKING:
    from projhead.heads.linear import Linear

#: How a record calls such a head.
_NAME = "head/Linear"


class LinearMap(NamedTuple):
    """``W x + b`` for rows.

    Attributes
    ----------
    weight : ndarray of shape (k, d), float32
    bias : ndarray of shape (k,), float32, or None
    """

    weight: Vectors
    bias: Vectors | None = None

    def __call__(self, rows: Vectors) -> Vectors:
        """Project rows (n, d) to (n, k), not yet of unit length."""
        projected: Vectors = rows @ self.weight.T
        return projected if self.bias is None else projected + self.bias

    def head(self, record: Any = None) -> Linear:
        """Return the same as a head, which keeps how it was written: `Reduced` knows it by that."""
        import torch

        from projhead.heads.linear import Linear

        out_features, in_features = self.weight.shape
        head = Linear(in_features, out_features, bias=self.bias is not None)
        head.initialize(torch.from_numpy(self.weight), None if self.bias is None else torch.from_numpy(self.bias))
        head._record = record
        return head.requires_grad_(False).eval()


def linear_map(record: Any, weights: dict[str, NDArray[Any]]) -> LinearMap | None:
    """Return what a record and its weights describe, None where that is not plainly a linear head."""
    if not isinstance(record, dict) or current(str(record.get("class"))) != _NAME:
        return None
    weight, bias = weights.get("projection.weight"), weights.get("projection.bias")
    if weight is None or weight.ndim != 2 or not isinstance(record.get("parameters"), dict):
        return None
    k, d = weight.shape
    parameters = {"in_features": d, "out_features": k, "bias": bias is not None}
    shapes = {"projection.weight": (k, d)} | ({} if bias is None else {"projection.bias": (k,)})
    found = {name: array.shape for name, array in weights.items()}
    return (
        LinearMap(weight, bias) if found == shapes and {"bias": False, **record["parameters"]} == parameters else None
    )
