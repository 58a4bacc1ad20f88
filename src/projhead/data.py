"""The tuples that rooms hand to each other."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Document(NamedTuple):
    """One text of a corpus."""

    id: str
    text: str


class Scores(NamedTuple):
    """What a task measured: one row per query, pair or text, and how rows make the metric.

    Attributes
    ----------
    task : str
        Task and data set, such as ``"retrieval/scifact"``.
    metric : str
        Such as ``"ndcg@10"``.
    items : ndarray of shape (n,) or (n, 2), float64
        Per-query values for ``"mean"``; pairs (similarity, gold) for ``"spearman"``.
    statistic : str
        ``"mean"`` or ``"spearman"``.
    """

    task: str
    metric: str
    items: NDArray[np.float64]
    statistic: str = "mean"


class Footprint(NamedTuple):
    """What something takes, in bytes.

    Attributes
    ----------
    memory, disk : int
        Held in memory, and in files.
    """

    memory: int
    disk: int
