from __future__ import annotations

import math

import pytest
import torch

from projhead.losses.neighbor_kl import NeighborKL


def test_it_is_the_divergence_of_two_softmaxes_without_the_row_itself() -> None:
    generator = torch.Generator().manual_seed(0)
    student, teacher = torch.rand(4, 6, generator=generator), torch.rand(4, 6, generator=generator)
    self_mask = torch.zeros(4, 6, dtype=torch.bool)
    self_mask[1, 3] = self_mask[2, 0] = True
    total = 0.0
    for i in range(4):
        kept = [j for j in range(6) if not self_mask[i, j]]
        p = [math.exp(teacher[i, j].item() / 0.1) for j in kept]
        q = [math.exp(student[i, j].item() / 0.2) for j in kept]
        total += sum(a / sum(p) * math.log((a / sum(p)) / (b / sum(q))) for a, b in zip(p, q, strict=True))
    found = NeighborKL([0.1], student_temperature=0.2)(student, teacher, self_mask)
    torch.testing.assert_close(found, torch.tensor(total / 4))


def test_a_perfect_student_has_none() -> None:
    similarity = torch.rand(3, 5)
    loss = NeighborKL()(similarity, similarity, torch.zeros(3, 5, dtype=torch.bool))
    torch.testing.assert_close(loss, torch.tensor(0.0), atol=1e-6, rtol=0)


def test_temperatures_weigh_and_each_has_a_students_own() -> None:
    generator = torch.Generator().manual_seed(1)
    student, teacher = torch.rand(4, 6, generator=generator), torch.rand(4, 6, generator=generator)
    self_mask = torch.eye(4, 6, dtype=torch.bool)
    both, near, wide = NeighborKL([0.1, 0.3], [1, 10]), NeighborKL([0.1]), NeighborKL([0.3])
    torch.testing.assert_close(
        both(student, teacher, self_mask), near(student, teacher, self_mask) + 10 * wide(student, teacher, self_mask)
    )
    for loss in (both, near, wide):
        loss.fit_temperature(student, teacher, self_mask)
    torch.testing.assert_close(
        both(student, teacher, self_mask), near(student, teacher, self_mask) + 10 * wide(student, teacher, self_mask)
    )
    with pytest.raises(ValueError, match="weights: expected one for each of 2 temperatures"):
        NeighborKL([0.1, 0.3], [1.0])


def test_a_candidate_may_stand_for_several() -> None:
    generator = torch.Generator().manual_seed(2)
    student, teacher = torch.rand(4, 6, generator=generator), torch.rand(4, 6, generator=generator)
    self_mask = torch.eye(4, 6, dtype=torch.bool)
    times = torch.tensor([1, 1, 1, 1, 3, 2])
    written = [one.repeat_interleave(times, dim=1) for one in (student, teacher, self_mask)]
    for loss in (NeighborKL([0.1, 0.3], [1, 10]), NeighborKL(student_temperature=0.1)):
        torch.testing.assert_close(loss(student, teacher, self_mask, times.log()), loss(*written))
        loss.fit_temperature(student, teacher, self_mask, times.log())
        fitted = [one().item() for one in loss.temperatures]
        loss.fit_temperature(*written)
        assert [one().item() for one in loss.temperatures] == pytest.approx(fitted, rel=1e-4)
