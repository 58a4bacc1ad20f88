"""Iterative quantization: a learned rotation, then signs."""

from __future__ import annotations

from typing import Any

import numpy as np

from projhead.codecs._faiss import itq_directions
from projhead.codecs.binary import Binary
from projhead.settings.ranges import Count
from projhead.vectors import Vectors


class ITQ(Binary):
    """Which side of its median each of `n_bits` rotated principal components is on; queries stay float.

    Gong et al., "Iterative quantization: a Procrustean approach to learning binary codes", 2013.

    Parameters
    ----------
    n_bits : int
        Bits of a code, at most the width.

    References
    ----------
    - https://doi.org/10.1109/TPAMI.2012.193
    """

    n_bits: int

    def __init__(self, n_bits: Count = 256) -> None:
        super().__init__(n_bits)
        self.name = f"itq_{n_bits}"

    def layout(self, dimension: int) -> tuple[np.dtype[Any], int]:
        """Return the dtype and the number of items of one code: eight bits in each.

        Raises
        ------
        ValueError
            If rows of that width cannot be stored so.
        """
        if self.n_bits > dimension:
            raise ValueError(f"{self.name}: expected rows at least as wide as there are bits, got {dimension}")
        return super().layout(dimension)

    def _directions(self, rows: Vectors) -> Vectors:
        return itq_directions(rows, self.n_bits)
