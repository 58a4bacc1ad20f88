"""Softmax over similarities, teacher against student."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class NeighborKL(nn.Module):
    """Kullback-Leibler divergence between neighbor distributions of teacher and student.

    Each anchor's similarities become a distribution over the candidates by a softmax at a low temperature, so
    near neighbors weigh most. The form of Hinton et al., "Distilling the Knowledge in a Neural Network", 2015,
    over in-batch similarities as in Fang et al., "SEED: Self-supervised HeadModule for Visual Representation",
    2021.

    Parameters
    ----------
    teacher_temperature : float
        What the teacher's similarities are divided by; smaller looks at fewer neighbors.
    student_temperature : float, optional
        The student's; where not given it starts at the teacher's and is learned, as the student's cosines spread
        wider in fewer dimensions.
    """

    def __init__(self, teacher_temperature: float = 0.05, student_temperature: float | None = None) -> None:
        super().__init__()
        self.teacher_temperature, self.student_temperature = teacher_temperature, student_temperature
        start = torch.tensor(student_temperature or teacher_temperature).log()
        self.log_temperature = nn.Parameter(start, requires_grad=student_temperature is None)

    def forward(self, student: Tensor, teacher: Tensor, self_mask: Tensor) -> Tensor:
        """Return the mean divergence over anchors."""
        with torch.no_grad():
            logits = (teacher / self.teacher_temperature).masked_fill_(self_mask, -1e4)
            logits -= logits.amax(1, keepdim=True)
            target = torch.softmax(logits, dim=1)
            # The entropy, a constant that makes 0 the best value, from what is there: no second pass of logarithms.
            log_sum = -target.amax(1).log().sum()
            negative_entropy = (torch.dot(target.flatten(), logits.flatten()) - log_sum) / len(target)
        found = (student / self.log_temperature.exp()).masked_fill(self_mask, -1e4)
        return nn.functional.cross_entropy(found, target) + negative_entropy
