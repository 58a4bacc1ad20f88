"""The first rows of a rotation: a linear map that training turns and never scales."""

from __future__ import annotations

from typing import Self

import torch
from torch import Tensor, nn


class Rotation(nn.Module):
    """``Q x`` with orthonormal rows in ``Q``, exact at full width.

    The head of AdaWidth (2026). Q is the product of Householder reflections (Householder, "Unitary Triangularization
    of a Nonsymmetric Matrix", 1958) that QR makes of the rows of a free matrix: its first rows depend on the first
    rows alone, so that a `prefix` is the same function.

    Parameters
    ----------
    in_features, out_features : int
        Teacher width d and reduced width k, at most d.

    References
    ----------
    - https://doi.org/10.1145/320941.320947
    """

    def __init__(self, in_features: int, out_features: int) -> None:
        super().__init__()
        self.in_features, self.out_features = in_features, out_features
        self.projection = nn.Linear(in_features, out_features, bias=False)

    def initialize(self, weight: Tensor, bias: Tensor | None = None) -> None:
        """Start at a map of shape (k, d), its rows made orthonormal in order; a constant has no use."""
        del bias
        self.projection.weight.data.copy_(_orthonormal(weight))

    def train(self, mode: bool = True) -> Self:
        """Make the matrix Q itself when training ends, so that nothing is left to do for each call."""
        weight = self.projection.weight.detach()
        # What is orthonormal already, such as a loaded head, stays bit for bit what it is.
        if (
            self.training
            and not mode
            and (weight @ weight.T - torch.eye(len(weight), device=weight.device)).abs().max() > 1e-5
        ):
            weight.copy_(_orthonormal(weight))
        return super().train(mode)

    def forward(self, x: Tensor) -> Tensor:
        """Project rows (n, d) to (n, k), not yet of unit length."""
        weight = self.projection.weight
        return nn.functional.linear(x, _orthonormal(weight) if self.training else weight)

    def blended(self, start: Tensor, share: float) -> Rotation:
        """Return the head that lies at a share of the way from its start, a linear map (k, d), to itself."""
        head = type(self)(self.in_features, self.out_features)
        whole, own = _orthonormal(start), _orthonormal(self.projection.weight.detach())
        head.initialize(torch.lerp(whole, own, share))
        return head.requires_grad_(False).eval()

    def prefix(self, out_features: int) -> Rotation:
        """Return a head with the first of the outputs only."""
        head = type(self)(self.in_features, out_features)
        head.initialize(self.projection.weight.detach()[:out_features])
        return head.requires_grad_(False).eval()

    def to_sequential(self) -> nn.Sequential:
        """Return the same function as one stock ``nn.Linear``."""
        layer = nn.Linear(self.in_features, self.out_features, bias=False)
        layer.weight.data.copy_(_orthonormal(self.projection.weight.detach()))
        return nn.Sequential(layer)


def _orthonormal(weight: Tensor) -> Tensor:
    """Apply Gram and Schmidt to the rows of a matrix (k, d); a row that the others span becomes one they do not."""
    q, r = torch.linalg.qr(weight.T)
    rows: Tensor = (q * torch.where(r.diagonal() < 0, -1.0, 1.0)).T
    return rows
