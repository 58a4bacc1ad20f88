"""One bit for each dimension."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from projhead.twins.base import Twin, straight_through


class Signs(Twin):
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
