"""Compare rows of written files with those of the float32 student."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from sentence_transformers import SentenceTransformer

from projhead.encoders.sides import two_sided
from projhead.protocols import Encoder
from projhead.vectors import Vectors, neighbor_overlap, unit_rows

_TOP_K = 10


class Parity(NamedTuple):
    """How near the written files' rows are to the float32 student's, over n rows.

    Attributes
    ----------
    mean_cosine, p1_cosine, worst_cosine : float
        Mean, first percentile and minimum of the cosine of each row to its reference.
    overlap_at_10 : float
        Share of the ten nearest neighbors that stay.
    n : int
    """

    mean_cosine: float
    p1_cosine: float
    worst_cosine: float
    overlap_at_10: float
    n: int


def both_sides(encoder: Encoder) -> Callable[[Sequence[str]], Vectors]:
    """Return what encodes texts: to rows (n, k), or (2, n, k), queries first, where the encoder's sides differ."""
    if not encoder.two_sided:
        return encoder.encode
    return lambda texts: np.stack([encoder.encode_query(texts), encoder.encode_document(texts)])


def both_sides_of(student: SentenceTransformer, texts: Sequence[str]) -> Vectors:
    """Return the student's unit rows (n, k), or (2, n, k), queries first, where its sides differ."""
    if not two_sided(student):
        return unit_rows(student.encode(texts))
    return np.stack([unit_rows(student.encode_query(texts)), unit_rows(student.encode_document(texts))])


def measure(reference: Vectors, found: Vectors) -> Parity:
    """Compare unit rows (n, k), or those of both sides (2, n, k), with their reference.

    Raises
    ------
    ValueError
        If the shapes differ, as they do when an export left the head out, or there are too few rows for neighbors.
    """
    if reference.shape != found.shape:
        raise ValueError(f"the written files give rows of shape {found.shape}, expected {reference.shape}")
    reference, found = (rows.reshape(-1, rows.shape[-1]) for rows in (reference, found))
    if len(reference) <= _TOP_K:
        raise ValueError(f"parity: expected more than {_TOP_K} texts or vectors to measure on, got {len(reference)}")
    cosine = np.einsum("nk,nk->n", reference, found, dtype=np.float64)
    return Parity(
        mean_cosine=float(cosine.mean()),
        p1_cosine=float(np.percentile(cosine, 1)),
        worst_cosine=float(cosine.min()),
        overlap_at_10=float(neighbor_overlap(reference, found, [_TOP_K]).mean()),
        n=len(reference),
    )
