"""Squared error of similarities, near neighbors weighted up."""

from __future__ import annotations

from typing import Annotated

import torch
from annotated_types import Ge
from torch import Tensor, nn


class SimilarityMSE(nn.Module):
    """Mean squared error between student and teacher similarities.

    With equal weights and a linear head its optimum is PCA again (Eckart and Young, "The approximation of one
    matrix by another of lower rank", 1936); `sharpness` weights each pair by ``exp(sharpness * teacher)``, as
    Sammon, "A nonlinear mapping for data structure analysis", 1969, weights small distances.

    Parameters
    ----------
    sharpness : float
        0 weighs all pairs alike; larger looks more at near neighbors.

    References
    ----------
    - https://doi.org/10.1007/BF02288367
    - https://doi.org/10.1109/T-C.1969.222678
    """

    def __init__(self, sharpness: Annotated[float, Ge(0)] = 8.0) -> None:
        super().__init__()
        self.sharpness = sharpness

    def forward(self, student: Tensor, teacher: Tensor, self_mask: Tensor) -> Tensor:
        """Return the weighted mean over all pairs of different rows."""
        weight = torch.exp(self.sharpness * (teacher - 1)).masked_fill(self_mask, 0)
        return (weight * (student - teacher).square()).sum() / weight.sum()
