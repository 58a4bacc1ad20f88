"""Which sentences say what their document is about."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

_BLOCK = 65_536


def central(
    sentences: NDArray[Any], documents: NDArray[Any], numbers: NDArray[np.int64], keep: int
) -> NDArray[np.int64]:
    """Return the numbers of the sentences that are nearest to their document, sorted.

    Parameters
    ----------
    sentences, documents : ndarray of shape (q, d) and (n, d), float
        Unit rows of one teacher, perhaps memory-mapped.
    numbers : ndarray of shape (q,), int64
        For each sentence the number of its document; not decreasing.
    keep : int
        So many of each document.
    """
    similarity = np.concatenate(
        [
            np.empty(0),
            *(
                np.einsum("qd,qd->q", sentences[start : start + _BLOCK], documents[numbers[start : start + _BLOCK]])
                for start in range(0, len(numbers), _BLOCK)
            ),
        ]
    )
    order = np.lexsort((-similarity, numbers))
    rank = np.arange(len(order)) - np.searchsorted(numbers, numbers[order])  # within the document
    return np.sort(order[rank < keep])
