"""Absolute error of similarities, once over the nearest and once over all pairs."""

from __future__ import annotations

from typing import Annotated

import torch
from annotated_types import Ge
from torch import Tensor, nn


class MatryoshkaAdaptor(nn.Module):
    """Top-k and pairwise similarity loss of the Matryoshka-Adaptor.

    Yoon et al., "Matryoshka-Adaptor: Unsupervised and Supervised Tuning for Smaller Embedding Dimensions", 2024:
    the absolute difference of student and teacher similarity over each anchor's `top_k` nearest, plus the same over
    all pairs. Its sum over widths is what ``nested`` does; its third part, that the full-width vector be recovered,
    has no meaning for a head that gives fewer dimensions and is left out.

    Parameters
    ----------
    top_k : int
        How many nearest candidates the first part looks at.
    pairwise_weight : float
        What the second part counts beside the first.

    References
    ----------
    - https://arxiv.org/abs/2407.20243
    """

    by_anchor = True

    def __init__(self, top_k: Annotated[int, Ge(1)] = 10, pairwise_weight: Annotated[float, Ge(0)] = 1.0) -> None:
        super().__init__()
        self.top_k, self.pairwise_weight = top_k, pairwise_weight

    def forward(self, student: Tensor, teacher: Tensor, self_mask: Tensor) -> Tensor:
        """Return the two means together."""
        error = (student - teacher).abs().masked_fill(self_mask, 0)
        others = int(teacher.shape[1]) - 1
        nearest = teacher.masked_fill(self_mask, -torch.inf).topk(max(min(self.top_k, others), 1)).indices
        return error.gather(1, nearest).mean() + self.pairwise_weight * error.sum() / (~self_mask).sum()
