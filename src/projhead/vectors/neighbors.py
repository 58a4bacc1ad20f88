"""Exact nearest neighbors, and the overlap of two spaces' neighborhoods."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from projhead.vectors.unit import Vectors

if TYPE_CHECKING:
    import torch

#: Similarities held at once; bounds a block to 256 MB of float32.
_BLOCK = 1 << 26
#: Similarities closer than this are ties: float32 inner products of unit rows are no more exact.
_TIE = 1e-6


def _tensor(rows: Vectors) -> torch.Tensor:
    import torch

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")  # it is only read
        return torch.from_numpy(np.ascontiguousarray(rows, dtype=np.float32))


def _similarity_blocks(queries: Vectors, rows: Vectors) -> Iterator[tuple[slice, torch.Tensor]]:
    """Yield (which queries, their similarities to all rows), block by block."""
    if queries.shape[1] != rows.shape[1]:
        raise ValueError(f"queries: expected width {rows.shape[1]}, that of the rows, got {queries.shape[1]}")
    columns, size = _tensor(rows).T, max(min(_BLOCK // max(len(rows), 1), 1024), 1)
    for start in range(0, len(queries), size):
        block = slice(start, min(start + size, len(queries)))
        yield block, _tensor(queries[block]) @ columns


def exact_top_k(queries: Vectors, rows: Vectors, top_k: int) -> tuple[Vectors, NDArray[np.int64]]:
    """Find the `top_k` rows most similar to each query by exhaustive comparison.

    Returns
    -------
    scores : ndarray of shape (q, top_k), float32, descending
    indices : ndarray of shape (q, top_k), int64
        Both have fewer columns where there are fewer than `top_k` rows.

    Raises
    ------
    ValueError
        If widths differ, or `top_k` is not positive.
    """
    import torch

    if top_k < 1:
        raise ValueError(f"top_k: expected a positive number, got {top_k}")
    top_k = min(top_k, len(rows))
    scores = np.empty((len(queries), top_k), np.float32)
    indices = np.empty((len(queries), top_k), np.int64)
    for block, similarity in _similarity_blocks(queries, rows):
        best = torch.topk(similarity, top_k)
        scores[block], indices[block] = best.values.numpy(), best.indices.numpy()
    return scores, indices


def neighbor_overlap(
    reference: Vectors, reduced: Vectors, top_k: Sequence[int], *, queries: Vectors | None = None
) -> Vectors:
    """Measure which share of each row's nearest neighbors a reduction keeps, ties counted fairly.

    A row's true neighbors are all rows at least as similar to it as the k-th one by `reference`; among rows
    that `reduced` puts level at the k-th place, the expected share of a random choice counts. A row is never
    its own neighbor.

    Parameters
    ----------
    reference : ndarray of shape (n, d)
        Unit rows of the teacher.
    reduced : ndarray of shape (n, k)
        Unit rows of the same things, in the same order.
    top_k : sequence of int
        Neighborhood sizes, each below n.
    queries : ndarray of shape (n, k), optional
        Unit rows whose neighbors among `reduced` are looked for, where those are stored less exactly; otherwise
        `reduced` itself.

    Returns
    -------
    ndarray of shape (n, len(top_k)), float32
        Overlap of each row, from 0 to 1.

    Raises
    ------
    ValueError
        If the two differ in rows, there are too few rows, or a neighborhood is empty.
    """
    import torch

    if min(top_k) < 1:
        raise ValueError(f"top_k: expected positive numbers, got {list(top_k)}")
    for rows in (reduced, reduced if queries is None else queries):
        if len(reference) != len(rows):
            raise ValueError(f"expected as many reduced rows as reference rows ({len(reference)}), got {len(rows)}")
    if len(reference) <= max(top_k):
        raise ValueError(
            f"overlap of the {max(top_k)} nearest needs more rows than that, got {len(reference)}; "
            "give more rows or a smaller top_k"
        )
    overlap = np.empty((len(reference), len(top_k)), np.float32)
    asked = reduced if queries is None else queries
    pairs = zip(_similarity_blocks(reference, reference), _similarity_blocks(asked, reduced), strict=True)
    for (block, true), (_, found) in pairs:
        own = torch.arange(block.start, block.stop)
        for similarity in (true, found):
            similarity[torch.arange(len(own)), own] = -torch.inf
        true_best = torch.topk(true, max(top_k)).values  # (b, k)
        found_best = torch.topk(found, max(top_k)).values
        for column, k in enumerate(top_k):
            relevant = true >= true_best[:, k - 1 : k] - _TIE
            above = found > found_best[:, k - 1 : k] + _TIE
            tied = ~above & (found >= found_best[:, k - 1 : k] - _TIE)
            share = (tied & relevant).sum(1) / tied.sum(1)
            hits = (above & relevant).sum(1) + (k - above.sum(1)) * share
            overlap[block, column] = (hits / k).clamp(max=1).numpy()
    return overlap
