"""How near what was written comes to what was meant."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from projhead.vectors import Vectors, neighbour_overlap

_TOP_K = 10


@dataclass(frozen=True)
class Parity:
    """Rows of written files against those of the float32 student, over real texts.

    Attributes
    ----------
    n : int
        Rows compared.
    mean_cosine, p1_cosine, worst_cosine : float
        Cosine of each row with its reference: mean, 1st percentile, smallest.
    overlap_at_10 : float
        Share of the 10 nearest neighbours kept.
    """

    n: int
    mean_cosine: float
    p1_cosine: float
    worst_cosine: float
    overlap_at_10: float


def measure(reference: Vectors, rows: Vectors) -> Parity:
    """Compare unit rows (n, k) with the reference (n, k).

    Raises
    ------
    ValueError
        If shapes differ, or there are too few rows for neighbours.
    """
    if reference.shape != rows.shape:
        raise ValueError(f"parity: expected rows of shape {reference.shape}, got {rows.shape}")
    cosine = (reference.astype(np.float64) * rows).sum(1)
    overlap = neighbour_overlap(reference, rows, [_TOP_K])
    return Parity(
        n=len(rows),
        mean_cosine=float(cosine.mean()),
        p1_cosine=float(np.percentile(cosine, 1)),
        worst_cosine=float(cosine.min()),
        overlap_at_10=float(overlap.mean()),
    )


def of_several_lengths(texts: Sequence[str]) -> list[str]:
    """Return `texts`, and made of them some short ones (their first words) and some as long as models read.

    What people bring is often all of one length, and what they encode later is not.
    """
    sample = texts[:: max(len(texts) // 16, 1)]
    short = [" ".join(text.split()[:3]) for text in sample]
    long = ["\n".join(texts[start : start + size]) for start, size in enumerate([4, 16, 64] * (len(sample) // 3))]
    return [*texts, *short, *long]
