from __future__ import annotations

import numpy as np
import pytest

from projhead.corpora.batching import token_batches


@pytest.mark.parametrize("budget", [1, 7, 64, 1000, 10**9])
def test_every_text_is_in_one_batch_and_none_exceeds_the_budget(budget: int) -> None:
    lengths = np.random.default_rng(0).integers(0, 200, size=300)
    batches = token_batches(lengths.tolist(), budget)
    assert sorted(np.concatenate(batches)) == list(range(300))
    for batch in batches:
        assert len(batch) * lengths[batch].max() <= budget or len(batch) == 1


def test_batches_are_full_and_the_longest_come_first() -> None:
    # Longest first: 9 alone fits once into 10; 5 twice; 2 five times (three are there).
    batches = token_batches([2, 5, 9, 2, 5, 2], 10)
    assert [batch.tolist() for batch in batches] == [[2], [1, 4], [0, 3, 5]]


def test_sorting_saves_padding() -> None:
    lengths = np.random.default_rng(0).geometric(1 / 30, size=2000)
    padded = sum(len(batch) * lengths[batch].max() for batch in token_batches(lengths.tolist(), 2048))
    unsorted = sum(32 * lengths[start : start + 32].max() for start in range(0, 2000, 32))
    assert lengths.sum() <= padded < 1.1 * lengths.sum() < unsorted


def test_no_texts_and_no_budget() -> None:
    assert token_batches([], 100) == []
    with pytest.raises(ValueError, match="positive number of tokens, got 0"):
        token_batches([1], 0)
