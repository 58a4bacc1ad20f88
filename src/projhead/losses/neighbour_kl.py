"""Softmax over similarities, teacher against student."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class NeighbourKL(nn.Module):
    """Kullback-Leibler divergence between neighbour distributions of teacher and student.

    Each anchor's similarities become a distribution over the candidates by a softmax at a low temperature, so
    near neighbours weigh most. The form of Hinton et al., "Distilling the Knowledge in a Neural Network", 2015,
    over in-batch similarities as in Fang et al., "SEED: Self-supervised Distillation for Visual Representation",
    2021.

    Parameters
    ----------
    teacher_temperature, student_temperature : float
        What similarities are divided by; smaller looks at fewer neighbours.
    """

    def __init__(self, teacher_temperature: float = 0.05, student_temperature: float = 0.05) -> None:
        super().__init__()
        self.teacher_temperature, self.student_temperature = teacher_temperature, student_temperature

    def forward(self, student: Tensor, teacher: Tensor, own: Tensor) -> Tensor:
        """Return the mean divergence over anchors."""
        target = torch.log_softmax((teacher / self.teacher_temperature).masked_fill(own, -1e4), dim=1)
        found = torch.log_softmax((student / self.student_temperature).masked_fill(own, -1e4), dim=1)
        return nn.functional.kl_div(found, target, reduction="batchmean", log_target=True)
