"""Symmetric integers of eight or four bits."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from projhead.codecs._fake_quantize import FakeQuantized, straight_through
from projhead.codecs.base import BaseCodec, State
from projhead.settings.ranges import Share
from projhead.vectors import Vectors

#: Scale of a dimension that is always zero: any other value there is outside.
_SMALLEST = 1e-30


class Integer(BaseCodec):
    """Values as multiples of a step per dimension, the same number on both sides of zero.

    Each dimension's step follows a quantile of its absolute values, because those of a reducer differ in size by
    an order of magnitude (Wu et al., "Integer quantization for deep learning inference", 2020). Scores are of
    the values that codes stand for, never of the codes themselves.

    Parameters
    ----------
    bits : int
        8, or 4 (two values in a byte, the earlier in the low half).
    quantile : float
        The share of a dimension's absolute values that are inside; those outside take the nearest end.

    References
    ----------
    - https://arxiv.org/abs/2004.09602
    """

    def __init__(self, bits: Literal[4, 8] = 8, quantile: Share = 0.9999) -> None:
        if bits not in (4, 8):
            raise ValueError(f"bits: expected 8 or 4, got {bits!r}")
        if not 0 < quantile <= 1:
            raise ValueError(f"quantile: expected a share above 0, up to 1, got {quantile!r}")
        self.bits, self.quantile = bits, quantile
        self.name = f"int{bits}"

    def layout(self, dimension: int) -> tuple[np.dtype[Any], int]:
        """Return the dtype and the number of items of one code."""
        return (np.dtype(np.int8), dimension) if self.bits == 8 else (np.dtype(np.uint8), (dimension + 1) // 2)

    @property
    def _top(self) -> int:
        return (1 << (self.bits - 1)) - 1

    def _shapes(self, dimension: int) -> dict[str, tuple[int, ...]]:
        return {"step": (dimension,)}

    def _fit(self, rows: Vectors) -> State:
        ends = np.quantile(np.abs(rows), self.quantile, axis=0)
        return {"step": np.maximum(ends / self._top, _SMALLEST).astype(np.float32)}

    def _encode(self, rows: Vectors) -> NDArray[Any]:
        steps = np.rint(rows / self.state["step"])
        self.clipped += int((np.abs(steps) > self._top).sum())
        codes = np.clip(steps, -self._top, self._top).astype(np.int8)
        if self.bits == 8:
            return codes
        halves = np.zeros((len(codes), codes.shape[1] + codes.shape[1] % 2), np.uint8)
        halves[:, : codes.shape[1]] = codes + 8
        packed: NDArray[Any] = halves[:, ::2] | halves[:, 1::2] << 4
        return packed

    def _decode(self, codes: NDArray[Any]) -> NDArray[Any]:
        if self.bits == 4:
            halves = np.stack([codes & 15, codes >> 4], axis=2).reshape(len(codes), 2 * codes.shape[1])
            codes = halves[:, : self.dimension].astype(np.int8) - 8
        rows: NDArray[Any] = codes * self.state["step"]
        return rows

    def fake_quantized(self) -> FakeQuantizedInteger:
        """Return the fitted codec as a torch module."""
        return FakeQuantizedInteger(torch.from_numpy(self.state["step"]), self._top)


#: Step of a dimension that is always zero, at least: its square is still a float32.
_SMALLEST_STEP = 1e-15
#: How much faster the logarithm of a step moves than a weight: 1% at a rate of 0.001.
_PACE = 10.0


class FakeQuantizedInteger(FakeQuantized):
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

    References
    ----------
    - https://arxiv.org/abs/1902.08153
    """

    def __init__(self, step: Tensor, top: int) -> None:
        super().__init__()
        self.log_step, self.top = nn.Parameter(step.clamp(min=_SMALLEST_STEP).log() / _PACE), top

    def state(self) -> dict[str, Tensor]:
        """Return the steps."""
        return {"step": (_PACE * self.log_step).exp()}

    def forward(self, rows: Tensor) -> Tensor:
        """Return the nearest multiples (b, k)."""
        step = (_PACE * self.log_step).exp()
        inside = (rows / step).clamp(-self.top, self.top)
        return straight_through(inside, torch.round(inside).detach()) * step
