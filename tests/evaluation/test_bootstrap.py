import numpy as np
import pytest
from scipy.stats import spearmanr

from projhead.data import Scores
from projhead.evaluation import bootstrap as statistics
from projhead.evaluation.bootstrap import bootstrap, paired_bootstrap


def mean_sample(items):
    return Scores("retrieval/x", "ndcg@10", np.asarray(items, dtype=np.float64))


def pair_sample(first, second):
    return Scores("sts/x", "spearman", np.column_stack([first, second]).astype(np.float64), "spearman")


def naive(sample, statistic, seed, other=None):
    generator, n, drawn = np.random.default_rng(seed), len(sample.items), []
    for _ in range(1000):
        chosen = generator.integers(n, size=n)
        drawn.append(statistic(sample.items[chosen]) - (statistic(other.items[chosen]) if other else 0))
    return np.percentile(drawn, [2.5, 97.5])


def spearman(items):
    return spearmanr(items[:, 0], items[:, 1]).statistic


@pytest.mark.parametrize("block", [statistics._BLOCK, 500])
def test_mean_and_its_interval_are_those_of_a_plain_loop(monkeypatch, block):
    monkeypatch.setattr(statistics, "_BLOCK", block)
    sample = mean_sample(np.random.default_rng(0).random(60))
    estimate = bootstrap(sample, seed=3)
    assert estimate.value == pytest.approx(sample.items.mean())
    np.testing.assert_allclose(estimate[1:], naive(sample, np.mean, 3))


def test_the_interval_of_a_mean_is_as_wide_as_theory_says():
    items = np.random.default_rng(0).normal(size=4000)
    _, low, high = bootstrap(mean_sample(items))
    assert high - low == pytest.approx(2 * 1.96 * items.std() / np.sqrt(len(items)), rel=0.1)


def test_spearman_is_scipys_also_with_ties():
    generator = np.random.default_rng(1)
    gold = generator.integers(0, 6, size=80)
    sample = pair_sample(gold + generator.normal(size=80), gold)
    estimate = bootstrap(sample)
    assert estimate.value == pytest.approx(spearman(sample.items))
    np.testing.assert_allclose(estimate[1:], naive(sample, spearman, 0))


def test_paired_differences_resample_both_alike():
    generator = np.random.default_rng(2)
    baseline = generator.random(200)
    sample = baseline + 0.01  # always better by the same: no doubt about the difference
    estimate = paired_bootstrap(mean_sample(sample), mean_sample(baseline))
    np.testing.assert_allclose(estimate, [0.01] * 3)
    single = bootstrap(mean_sample(sample))
    assert single.high - single.low > 0.05
    gold = generator.random(50)
    first, second = (
        pair_sample(gold + 0.1 * generator.random(50), gold),
        pair_sample(generator.random(50), gold),
    )
    paired = paired_bootstrap(first, second, seed=1)
    assert paired.value == pytest.approx(spearman(first.items) - spearman(second.items))
    np.testing.assert_allclose(paired[1:], naive(first, spearman, 1, second))


def test_differences_of_different_measurements_are_refused():
    sample = mean_sample([0.0, 1.0])
    for other in (sample._replace(task="retrieval/y"), sample._replace(metric="mrr@10"), mean_sample([0.0])):
        with pytest.raises(ValueError, match="expected two samples of one measurement"):
            paired_bootstrap(sample, other)


def test_undefined_metrics_are_refused():
    for sample in (mean_sample([]), mean_sample([1.0, np.nan]), pair_sample([1, 1, 1], [1, 2, 3])):
        with pytest.raises(ValueError, match=f"{sample.task} {sample.metric}: expected finite items"):
            bootstrap(sample)


def test_few_pairs_still_have_an_interval():
    assert np.isfinite(bootstrap(pair_sample([1, 2, 3], [1, 3, 2]))).all()


def test_few_pairs_still_have_a_paired_interval():
    gold = [1, 2, 3]
    assert np.isfinite(paired_bootstrap(pair_sample([1, 2, 3], gold), pair_sample([1, 3, 2], gold))).all()
