"""Squared error of margins: how far each candidate lies behind the nearest."""

from __future__ import annotations

from typing import Annotated

import torch
from annotated_types import Ge
from torch import Tensor, nn


class MarginMSE(nn.Module):
    """Mean squared error between student's and teacher's margins.

    Hofstätter et al., "Improving Efficient Neural Ranking Models with Cross-Architecture Knowledge Distillation",
    2020, with the candidate that the teacher finds nearest as the positive and all others as negatives: the order
    counts and how far apart, not the similarities themselves.

    Parameters
    ----------
    top_k : int
        How many negatives of each anchor count, the nearest by the teacher.

    References
    ----------
    - https://arxiv.org/abs/2010.02666
    """

    by_anchor = True

    def __init__(self, top_k: Annotated[int, Ge(1)] = 64) -> None:
        super().__init__()
        self.top_k = top_k

    def forward(self, student: Tensor, teacher: Tensor, self_mask: Tensor) -> Tensor:
        """Return the mean over anchors and their negatives."""
        others = int(teacher.shape[1]) - 1
        near, order = teacher.masked_fill(self_mask, -torch.inf).topk(
            max(min(self.top_k + 1, others), 1)
        )  # (b, top_k + 1)
        found = student.gather(1, order)
        return ((found[:, :1] - found[:, 1:]) - (near[:, :1] - near[:, 1:])).square().mean()
