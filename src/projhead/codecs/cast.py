"""Floats of fewer bits."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from projhead.codecs.base import BaseCodec, State
from projhead.vectors import Vectors


class _Format(NamedTuple):
    """How torch and numpy call a format, and what unit rows are scaled by to use its range."""

    kind: torch.dtype
    stored: type[np.generic]
    scale: float = 1.0


_FORMATS = {
    "float32": _Format(torch.float32, np.float32),
    "float16": _Format(torch.float16, np.float16),
    "bfloat16": _Format(torch.bfloat16, np.uint16),
    "float8": _Format(torch.float8_e4m3fn, np.uint8, scale=448.0),
}


class Cast(BaseCodec):
    """Values rounded to a shorter float.

    float8 is e4m3 (Micikevicius et al., "FP8 formats for deep learning", 2022), its largest value 448 standing for
    1: no value of a unit row is outside, and only those below 3.5e-5 lose more than the 4 bits of its fraction.
    Formats that numpy does not know are stored as unsigned integers of the same bits.

    Parameters
    ----------
    dtype : str
        ``"float32"``, ``"float16"``, ``"bfloat16"`` or ``"float8"``.

    References
    ----------
    - https://arxiv.org/abs/2209.05433
    """

    learns = False

    def __init__(self, dtype: str = "float32") -> None:
        if dtype not in _FORMATS:
            raise ValueError(f"dtype: expected one of {', '.join(_FORMATS)}, got {dtype!r}")
        self.dtype = self.name = dtype

    def layout(self, dimension: int) -> tuple[np.dtype[Any], int]:
        """Return the dtype and the number of items of one code: a value each."""
        return np.dtype(_FORMATS[self.dtype].stored), dimension

    def _shapes(self, dimension: int) -> dict[str, tuple[int, ...]]:
        return {}

    def _fit(self, rows: Vectors) -> State:
        return {}

    def _encode(self, rows: Vectors) -> NDArray[Any]:
        form = _FORMATS[self.dtype]
        largest, scaled = torch.finfo(form.kind).max, torch.from_numpy(rows) * form.scale
        self.clipped += int((scaled.abs() > largest).sum())
        codes: NDArray[Any] = scaled.clamp(-largest, largest).to(form.kind).view(torch.uint8).numpy().view(form.stored)
        return codes

    def _decode(self, codes: NDArray[Any]) -> NDArray[Any]:
        form = _FORMATS[self.dtype]
        values = torch.from_numpy(np.ascontiguousarray(codes).view(np.uint8)).view(form.kind).float()
        rows: NDArray[Any] = (values / form.scale).numpy()
        return rows
