"""Softmax over similarities, teacher against student."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Annotated

import torch
from annotated_types import Ge, Gt
from torch import Tensor, nn

from projhead.losses.temperature import Temperature


class NeighborKL(nn.Module):
    """Kullback-Leibler divergence between neighbor distributions of teacher and student.

    Each anchor's similarities become a distribution over the candidates by a softmax at a low temperature, so
    near neighbors weigh most. The form of Hinton et al., "Distilling the Knowledge in a Neural Network", 2015,
    over in-batch similarities as in Fang et al., "SEED: Self-supervised Distillation for Visual Representation",
    2021. Several teacher temperatures look at near and wide neighborhoods at once, their divergences summed.

    Parameters
    ----------
    teacher_temperatures : sequence of float, optional
        What the teacher's similarities are divided by; smaller looks at fewer neighbors. 0.05 alone where not given.
    weights : sequence of float, optional
        What the divergence at each of them counts; 1 where not given.
    student_temperature : float, optional
        The student's, for all of them; where not given each has its own, fitted to the start and learned.

    Raises
    ------
    ValueError
        If there are not as many weights as temperatures.

    References
    ----------
    - https://arxiv.org/abs/1503.02531
    - https://arxiv.org/abs/2101.04731
    """

    by_anchor = weighted = True

    def __init__(
        self,
        teacher_temperatures: Sequence[Annotated[float, Gt(0)]] | None = None,
        weights: Sequence[Annotated[float, Ge(0)]] | None = None,
        student_temperature: Annotated[float, Gt(0)] | None = None,
    ) -> None:
        super().__init__()
        self.teacher_temperatures = list(teacher_temperatures or [0.05])
        self.weights = list(weights or [1.0] * len(self.teacher_temperatures))
        if len(self.weights) != len(self.teacher_temperatures):
            raise ValueError(
                f"weights: expected one for each of {len(self.teacher_temperatures)} temperatures, got {self.weights}"
            )
        self.student_temperature = student_temperature
        learned = student_temperature is None
        self.temperatures = nn.ModuleList(
            Temperature(student_temperature or teacher, learned) for teacher in self.teacher_temperatures
        )

    def forward(self, student: Tensor, teacher: Tensor, self_mask: Tensor, log_weights: Tensor | None = None) -> Tensor:
        """Return the mean divergence over anchors, summed over temperatures.

        A candidate that stands for several others, as `log_weights` (m,) says, counts as often in both distributions.
        """
        total = student.new_zeros(())
        for weight, at, divisor in self._parts():
            target = _target(teacher, at, self_mask, log_weights)
            total = total + weight * _divergence(student, divisor, target, self_mask, log_weights)
        return total

    def fit_temperature(
        self, student: Tensor, teacher: Tensor, self_mask: Tensor, log_weights: Tensor | None = None
    ) -> None:
        """Fit the student's temperatures to similarities."""
        for _, at, divisor in self._parts():
            target = _target(teacher, at, self_mask, log_weights)
            divisor.fit(partial(_divergence, student, divisor, target, self_mask, log_weights))

    def _parts(self) -> Iterator[tuple[float, float, Temperature]]:
        for weight, at, divisor in zip(self.weights, self.teacher_temperatures, self.temperatures, strict=True):
            assert isinstance(divisor, Temperature)
            yield weight, at, divisor


@torch.no_grad()
def _target(
    teacher: Tensor, temperature: float, self_mask: Tensor, log_weights: Tensor | None
) -> tuple[Tensor, Tensor]:
    """Return the teacher's distribution (b, m), and its mean negative entropy: the constant that makes 0 the best."""
    logits = _logits(teacher, temperature, self_mask, log_weights)
    logits -= logits.amax(1, keepdim=True)
    target = torch.softmax(logits, dim=1)
    # The entropy from what is there: no second pass of logarithms.
    log_sum = -target.amax(1).log().sum()
    return target, (torch.dot(target.flatten(), logits.flatten()) - log_sum) / len(target)


def _divergence(
    student: Tensor, divisor: Temperature, target: tuple[Tensor, Tensor], self_mask: Tensor, log_weights: Tensor | None
) -> Tensor:
    found = _logits(student, divisor(), self_mask, log_weights)
    return nn.functional.cross_entropy(found, target[0]) + target[1]


def _logits(similarities: Tensor, temperature: float | Tensor, self_mask: Tensor, log_weights: Tensor | None) -> Tensor:
    logits = similarities / temperature
    if log_weights is not None:
        logits = logits + log_weights
    return logits.masked_fill(self_mask, -1e4)
