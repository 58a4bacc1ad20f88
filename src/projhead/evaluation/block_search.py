"""Search a block of a store's rows for the best of several systems, whatever else there is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from projhead.protocols import Codec
from projhead.vectors import Vectors, exact_top_k, unit_rows

#: Of a row that no size holds.
NEVER = -1
#: Scores and numbers of the best rows of every query, (q, top_k).
Best = tuple[Vectors, NDArray[np.int64]]


@dataclass(frozen=True, eq=False)
class Block:
    """Some rows of the store, in order.

    Attributes
    ----------
    start : int
        The number of the first.
    rows : ndarray of shape (n, d), float
    sizes : sequence of ndarray of shape (n,), int8
        For each retrieval set, which of the sizes is the first to hold each row; -1 for none.
    """

    start: int
    rows: NDArray[Any]
    sizes: Sequence[NDArray[np.int8]]


@dataclass(frozen=True, eq=False)
class Moved:
    """What becomes of the teacher's rows in a system: a head's map, and a codec."""

    map: Callable[[Vectors], Vectors]
    codec: Codec

    def __call__(self, rows: Vectors) -> Vectors:
        """Return what is left of the teacher's unit rows (n, d) once they are moved and stored, (n, k)."""
        return self.codec.decode(self.codec.encode(self.map(rows)))


def best_of(
    block: Block, *, systems: Sequence[Moved], queries: Sequence[Sequence[Vectors]], depths: Sequence[int]
) -> tuple[int, dict[tuple[int, int, int], Best]]:
    """Search a block; any process of any machine may do so.

    Parameters
    ----------
    block : Block
    systems : sequence of Moved
    queries : sequence of sequence of ndarray of shape (q, k)
        Of each system and each retrieval set.
    depths : sequence of int
        How many rows of each set are looked for.

    Returns
    -------
    n : int
        How many rows there are.
    best : dict
        By the numbers of system, set and size: scores and numbers of rows, (q, top_k).
    """
    rows, found = unit_rows(block.rows), {}
    for system, moved in enumerate(systems):
        held = moved(rows)
        for one, classes in enumerate(block.sizes):
            for size in np.unique(classes[classes != NEVER]):
                chosen = np.flatnonzero(classes == size)
                scores, places = exact_top_k(queries[system][one], held[chosen], depths[one])
                found[system, one, int(size)] = scores, chosen[places] + block.start
    return len(rows), found


def merged(first: Best, second: Best, top_k: int) -> Best:
    """Return the best of two searches for the same queries, by score and then by number, both (q, top_k)."""
    scores, numbers = np.concatenate([first[0], second[0]], axis=1), np.concatenate([first[1], second[1]], axis=1)
    order = np.lexsort((numbers, -scores), axis=1)[:, :top_k]
    return np.take_along_axis(scores, order, 1), np.take_along_axis(numbers, order, 1)
