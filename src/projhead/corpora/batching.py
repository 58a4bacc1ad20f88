"""Batch texts of like length under a token budget, so that little is padded."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def token_batches(lengths: Sequence[int] | NDArray[np.int64], token_budget: int) -> list[NDArray[np.int64]]:
    """Group texts so that no batch, padded to its longest text, exceeds the budget.

    Parameters
    ----------
    lengths : sequence or ndarray of int
        Tokens of each text.
    token_budget : int
        Padded tokens a batch may hold. A single longer text is a batch of its own.

    Returns
    -------
    list of ndarray of int64
        Positions in `lengths`; longest first (so that too large a budget fails at once, not at the end), each
        position exactly once. Write results to ``out[positions]`` and the order is restored.

    Raises
    ------
    ValueError
        If the budget is not positive.
    """
    if token_budget < 1:
        raise ValueError(f"token_budget: expected a positive number of tokens, got {token_budget}")
    order = np.argsort(-np.asarray(lengths, dtype=np.int64), kind="stable")
    batches, start = [], 0
    while start < len(order):
        longest = max(int(lengths[order[start]]), 1)
        stop = start + max(token_budget // longest, 1)
        batches.append(order[start:stop])
        start = stop
    return batches
