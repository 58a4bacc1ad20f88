"""Integers of a learned step."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from projhead.twins.base import Twin, straight_through

#: Step of a dimension that is always zero, at least: its square is still a float32.
_SMALLEST = 1e-15
#: How much faster the logarithm of a step moves than a weight: 1% at a rate of 0.001.
_PACE = 10.0


class Steps(Twin):
    """Values as multiples of a learned step per dimension (Esser et al., "Learned step size quantization", 2020).

    Inside the range the gradient of a value passes rounding straight, and that of its step is the rounding error
    in steps; a value outside has none, and its step that of the range's end. What is learned is the logarithm of
    the step, so that small and large ones move alike.

    Parameters
    ----------
    step : Tensor of shape (k,)
        Where to start.
    top : int
        The largest multiple, on either side of zero.
    """

    def __init__(self, step: Tensor, top: int) -> None:
        super().__init__()
        self.log_step, self.top = nn.Parameter(step.clamp(min=_SMALLEST).log() / _PACE), top

    def state(self) -> dict[str, Tensor]:
        """Return the steps."""
        return {"step": (_PACE * self.log_step).exp()}

    def forward(self, rows: Tensor) -> Tensor:
        """Return the nearest multiples (b, k)."""
        step = (_PACE * self.log_step).exp()
        inside = (rows / step).clamp(-self.top, self.top)
        return straight_through(inside, torch.round(inside).detach()) * step
