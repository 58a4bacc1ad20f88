"""The nearest candidate against all others, without those that the teacher finds as near."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class InfoNCE(nn.Module):
    """Contrastive loss whose positives and false negatives the teacher names.

    van den Oord et al., "Representation Learning with Contrastive Predictive Coding", 2018. Each anchor's positive is
    the candidate that the teacher finds nearest; candidates that it finds nearly as near may be right answers too
    and are no negatives (Moreira et al., "NV-Retriever: Improving text embedding models with effective hard-negative
    mining", 2024).

    Parameters
    ----------
    temperature : float
        What similarities are divided by.
    max_share : float
        Candidates above this share of the positive's teacher similarity are left out.
    """

    def __init__(self, temperature: float = 0.05, max_share: float = 0.95) -> None:
        super().__init__()
        self.temperature, self.max_share = temperature, max_share

    def forward(self, student: Tensor, teacher: Tensor, self_mask: Tensor) -> Tensor:
        """Return the mean cross-entropy over anchors."""
        near = teacher.masked_fill(self_mask, -torch.inf)
        best, positive = near.max(1, keepdim=True)  # (b, 1)
        left_out = self_mask | (near > self.max_share * best).scatter(1, positive, False)
        logits = (student / self.temperature).masked_fill(left_out, -1e4)
        return nn.functional.cross_entropy(logits, positive[:, 0])
