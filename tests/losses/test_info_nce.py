from __future__ import annotations

import math

import torch

from projhead.losses.info_nce import InfoNCE


def test_it_is_the_cross_entropy_of_the_teachers_best_without_those_nearly_as_near() -> None:
    generator = torch.Generator().manual_seed(0)
    student, teacher = torch.rand(5, 8, generator=generator), torch.rand(5, 8, generator=generator)
    self_mask = torch.zeros(5, 8, dtype=torch.bool)
    self_mask[1, int(teacher[1].argmax())] = self_mask[2, 0] = True
    total, dropped = 0.0, 0
    for i in range(5):
        known = {j: teacher[i, j].item() for j in range(8) if not self_mask[i, j]}
        positive = max(known, key=lambda j: known[j])
        negatives = [j for j in known if known[j] <= 0.8 * known[positive]]
        dropped += len(known) - 1 - len(negatives)
        logits = {j: math.exp(student[i, j].item() / 0.2) for j in (positive, *negatives)}
        total -= math.log(logits[positive] / sum(logits.values()))
    assert 0 < dropped < 20
    found = InfoNCE(temperature=0.2, max_share=0.8)(student, teacher, self_mask)
    torch.testing.assert_close(found, torch.tensor(total / 5))


def test_candidates_left_out_have_no_gradient() -> None:
    student = torch.tensor([[0.2, 0.9, 0.1]], requires_grad=True)
    teacher = torch.tensor([[0.8, 0.79, 0.3]])
    InfoNCE()(student, teacher, torch.zeros(1, 3, dtype=torch.bool)).backward()  # type: ignore[no-untyped-call]
    assert student.grad is not None
    assert student.grad[0, 1] == 0
    assert student.grad[0, 0] < 0 < student.grad[0, 2]
