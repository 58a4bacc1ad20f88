from __future__ import annotations

import pytest
import torch

from projhead.losses.margin_mse import MarginMSE


@pytest.mark.parametrize("top_k", [3, 100])
def test_it_is_the_mean_square_of_differences_of_margins(top_k: int) -> None:
    generator = torch.Generator().manual_seed(0)
    student, teacher = torch.rand(4, 7, generator=generator), torch.rand(4, 7, generator=generator)
    self_mask = torch.eye(4, 7, dtype=torch.bool)
    errors = []
    for i in range(4):
        order = sorted((j for j in range(7) if j != i), key=lambda j: -teacher[i, j].item())
        for j in order[1 : top_k + 1]:
            errors.append((student[i, order[0]] - student[i, j] - teacher[i, order[0]] + teacher[i, j]).item() ** 2)
    assert len(errors) == 4 * min(top_k, 5)
    torch.testing.assert_close(MarginMSE(top_k)(student, teacher, self_mask), torch.tensor(errors).mean())


def test_a_shift_of_all_similarities_costs_nothing() -> None:
    teacher = torch.rand(3, 5)
    loss = MarginMSE()(teacher + 0.3, teacher, torch.zeros(3, 5, dtype=torch.bool))
    torch.testing.assert_close(loss, torch.tensor(0.0), atol=1e-10, rtol=0)
