"""The nearest candidate against all others, except those that the teacher finds as near."""

from __future__ import annotations

from typing import Annotated

import torch
from annotated_types import Gt, Interval
from torch import Tensor, nn

from projhead.losses.temperature import Temperature


class InfoNCE(nn.Module):
    """Contrastive loss whose positives and false negatives the teacher names.

    van den Oord et al., "Representation Learning with Contrastive Predictive Coding", 2018. Each anchor's positive is
    the candidate that the teacher finds nearest; candidates that it finds nearly as near may be right answers too
    and are no negatives (Moreira et al., "NV-Retriever: Improving text embedding models with effective hard-negative
    mining", 2024).

    Parameters
    ----------
    temperature : float, optional
        What similarities are divided by; where not given it is fitted to the start and learned.
    max_share : float
        Candidates above this share of the positive's teacher similarity are left out.

    References
    ----------
    - https://arxiv.org/abs/1807.03748
    - https://arxiv.org/abs/2407.15831
    """

    by_anchor = True

    def __init__(
        self,
        temperature: Annotated[float, Gt(0)] | None = None,
        max_share: Annotated[float, Interval(ge=0, le=1)] = 0.95,
    ) -> None:
        super().__init__()
        self.temperature, self.max_share = temperature, max_share
        self.student_temperature = Temperature(temperature or 0.05, learned=temperature is None)

    def forward(self, student: Tensor, teacher: Tensor, self_mask: Tensor) -> Tensor:
        """Return the mean cross-entropy over anchors."""
        near = teacher.masked_fill(self_mask, -torch.inf)
        best, positive = near.max(1, keepdim=True)  # (b, 1)
        left_out = self_mask | (near > self.max_share * best).scatter(1, positive, False)
        logits = (student / self.student_temperature()).masked_fill(left_out, -1e4)
        return nn.functional.cross_entropy(logits, positive[:, 0])

    def fit_temperature(self, student: Tensor, teacher: Tensor, self_mask: Tensor) -> None:
        """Fit the temperature to similarities."""
        self.student_temperature.fit(lambda: self(student, teacher, self_mask))
