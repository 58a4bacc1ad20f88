from __future__ import annotations

import torch

from projhead.losses.matryoshka_adaptor import MatryoshkaAdaptor


def test_it_is_the_error_over_the_nearest_and_over_all_pairs() -> None:
    generator = torch.Generator().manual_seed(0)
    student, teacher = torch.rand(4, 6, generator=generator), torch.rand(4, 6, generator=generator)
    self_mask = torch.eye(4, 6, dtype=torch.bool)
    near, all_pairs = [], []
    for i in range(4):
        error = {j: abs(student[i, j].item() - teacher[i, j].item()) for j in range(6) if j != i}
        near += [error[j] for j in sorted(error, key=lambda j: -teacher[i, j].item())[:2]]
        all_pairs += list(error.values())
    expected = sum(near) / len(near) + 0.3 * sum(all_pairs) / len(all_pairs)
    found = MatryoshkaAdaptor(top_k=2, pairwise_weight=0.3)(student, teacher, self_mask)
    torch.testing.assert_close(found, torch.tensor(expected))


def test_fewer_candidates_than_neighbors_are_all_near() -> None:
    student, teacher, self_mask = torch.rand(3, 3), torch.rand(3, 3), torch.eye(3, dtype=torch.bool)
    error = (student - teacher).abs()[~self_mask].mean()
    torch.testing.assert_close(MatryoshkaAdaptor(pairwise_weight=1.0)(student, teacher, self_mask), 2 * error)
