"""Fit a codec and a head's start to each other."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from projhead.codecs.base import BaseCodec, fitted_copy, sample_rows
from projhead.vectors import Vectors, unit_rows


def start_codec(codec: BaseCodec, rows: NDArray[Any], weight: NDArray[Any]) -> tuple[BaseCodec, NDArray[Any]]:
    """Return a copy of a codec, fitted to rows (n, d) that a linear map (k, d) reduces, and that map.

    The map is turned first so that the codec loses least, which changes no similarity.

    Raises
    ------
    ValueError
        If the codec cannot store rows of the map's width, or there are too few to fit it to.
    """
    codec.layout(len(weight))
    sample = unit_rows(sample_rows(rows))
    rotation = codec.rotation(_reduced(sample, weight))
    if rotation is not None:
        weight = rotation @ weight
    return fitted_copy(codec, _reduced(sample, weight)), weight


def _reduced(rows: Vectors, weight: NDArray[Any]) -> Vectors:
    return unit_rows(rows @ weight.T.astype(np.float32))
