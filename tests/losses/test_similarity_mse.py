from __future__ import annotations

import math

import torch

from projhead.losses.similarity_mse import SimilarityMSE


def test_it_is_the_weighted_mean_square_without_the_row_itself() -> None:
    student, teacher = torch.rand(3, 4), torch.rand(3, 4)
    self_mask = torch.eye(3, 4, dtype=torch.bool)
    above = below = 0.0
    for i in range(3):
        for j in range(4):
            if i != j:
                weight = math.exp(5 * (teacher[i, j].item() - 1))
                above += weight * (student[i, j].item() - teacher[i, j].item()) ** 2
                below += weight
    torch.testing.assert_close(SimilarityMSE(sharpness=5.0)(student, teacher, self_mask), torch.tensor(above / below))
