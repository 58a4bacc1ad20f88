"""Sums of centroids: product, residual and product-residual quantizers."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from projhead.twins.base import Twin, straight_through


class Quantizer(Twin):
    """The nearest centroid of each stage to what the stages before left, in each group of dimensions.

    Centroids move with the loss while rows choose among them by distance, as in Zhan et al., "Jointly optimizing
    query encoder and product quantization", 2021; their choice is made anew in every step, as in van den Oord et
    al., "Neural discrete representation learning", 2017.

    Parameters
    ----------
    centroids : Tensor of shape (groups, 256, e) or (groups, stages, 256, e)
        Where to start; k is groups times e.
    rotation : Tensor of shape (k, k), optional
        Applied to rows first, and undone.
    """

    def __init__(self, centroids: Tensor, rotation: Tensor | None = None) -> None:
        super().__init__()
        self.centroids = nn.Parameter(centroids.clone())
        self.rotation = None if rotation is None else nn.Parameter(rotation.clone())

    def forward(self, rows: Tensor) -> Tensor:
        """Return the sums of the chosen centroids (b, k)."""
        turned = rows if self.rotation is None else rows @ self.rotation.T
        centroids = self.centroids if self.centroids.ndim == 4 else self.centroids[:, None]
        groups, stages, _, width = centroids.shape
        left = turned.detach().view(-1, groups, width).transpose(0, 1)  # (groups, b, e)
        total = torch.zeros_like(left)
        for stage in range(stages):
            table = centroids[:, stage]
            with torch.no_grad():
                away = table.square().sum(2)[:, None] - 2 * (left - total) @ table.transpose(1, 2)  # (groups, b, 256)
                nearest = away.argmin(2, keepdim=True).expand(-1, -1, width)
            total = total + table.gather(1, nearest)
        decoded = straight_through(turned, total.transpose(0, 1).flatten(1))
        return decoded if self.rotation is None else decoded @ self.rotation
