from __future__ import annotations

import numpy as np
import pytest
from torch import nn

from projhead.reducers.pca import PCA
from projhead.training.guard import Judge, choose
from projhead.vectors import Vectors, exact_top_k, neighbor_overlap


def test_rows_among_themselves_are_judged_as_overlap_is(rows: Vectors) -> None:
    judge, pca = Judge(rows, None, [8, 3]), PCA(8).fit(rows)
    near, wide = judge.top_k
    assert (near, wide) == (3, 12)
    found = judge(pca.head_)
    for width, kept in zip((8, 3), found, strict=True):
        expected = neighbor_overlap(rows, pca.prefix(width).transform(rows), [near, wide])
        assert np.abs(kept.T - expected).max(1).mean() < 1e-3  # but for ties


def test_queries_are_judged_by_the_documents_that_they_find(rows: Vectors) -> None:
    asked, documents = rows[:50], rows[50:]
    judge, pca = Judge(asked, documents, [8]), PCA(8).fit(rows)
    found = judge(pca.head_)[0]
    for k, kept in zip(judge.top_k, found, strict=True):
        true = exact_top_k(asked, documents, k)[1]
        reduced = exact_top_k(pca.transform(asked), pca.transform(documents), k)[1]
        assert kept.tolist() == pytest.approx([len({*a} & {*b}) / k for a, b in zip(true, reduced, strict=True)])


def _overlap(*candidates: list[float]) -> Vectors:
    """Noise that all candidates share, as they judge the same rows."""
    noise = np.random.default_rng(0).normal(size=(1, 1, 2, 400)) * 0.1
    return np.array(candidates)[:, None, :, None] + noise


def test_the_greatest_gain_over_the_better_form_is_taken() -> None:
    best, gain = choose(_overlap([0.5, 0.6], [0.55, 0.5], [0.6, 0.61], [0.58, 0.605]), [0, 1], 3)
    assert best == 2
    np.testing.assert_allclose(gain[:, 0], [[-0.05, 0], [0, -0.1], [0.05, 0.01], [0.03, 0.005]], atol=1e-6)


def test_the_recipe_is_left_only_for_what_is_clearly_better() -> None:
    overlap = _overlap([0.5, 0.6], [0.4, 0.5], [0.52, 0.62], [0.515, 0.615])
    assert choose(overlap, [0, 1], 3)[0] == 2  # noise that both share says nothing
    overlap[3] += 0.2 * np.resize([1, -1], 400)
    assert choose(overlap, [0, 1], 3)[0] == 3
    overlap[3] -= 0.05
    assert choose(overlap, [0, 1], 3)[0] == 2


def test_a_gain_near_by_is_not_paid_for_far_away() -> None:
    assert choose(_overlap([0.5, 0.6], [0.4, 0.5], [0.53, 0.58]), [0, 1], 2)[0] == 0
    assert choose(_overlap([0.5, 0.6], [0.4, 0.5], [0.53, 0.58], [0.51, 0.6]), [0, 1], 2)[0] == 3


def test_a_loss_that_may_be_chance_does_not_count() -> None:
    overlap = _overlap([0.5, 0.6], [0.4, 0.5], [0.53, 0.595])
    overlap[2, 0, 1] += 0.3 * np.resize([1, -1], 400)
    assert choose(overlap, [0, 1], 2)[0] == 2


def test_the_judge_is_not_moved_by_a_heads_lengths(rows: Vectors) -> None:
    class Longer(nn.Module):
        def __init__(self, head: nn.Module) -> None:
            super().__init__()
            self.head = head

        def forward(self, x):  # type: ignore[no-untyped-def]
            return self.head(x) * (1 + x[:, :1].abs())

    judge, head = Judge(rows, None, [4]), PCA(4).fit(rows).head_
    np.testing.assert_allclose(judge(Longer(head)), judge(head))


def test_one_of_several_widths_does_not_decide_for_all() -> None:
    narrow = _overlap([0.3, 0.4], [0.25, 0.35], [0.5, 0.5])
    wide = _overlap([0.8, 0.9], [0.7, 0.8], [0.8, 0.88])
    assert choose(wide, [0, 1], 2)[0] == 0
    assert choose(np.concatenate([wide, narrow], axis=1), [0, 1], 2)[0] == 2
