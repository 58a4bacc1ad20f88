"""Bootstrap intervals for a measurement and for the difference of two."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from projhead.data import Scores

_RESAMPLES = 1000
_LEVEL = 95.0
#: Items drawn at once; bounds memory to some 100 MB.
_BLOCK = 2_000_000

Floats = NDArray[np.float64]


class Estimate(NamedTuple):
    """A value and the ends of its 95% interval."""

    value: float
    low: float
    high: float


def _mean(items: Floats) -> Floats:
    means: Floats = items.mean(axis=1)  # (r, n) -> (r,)
    return means


def _spearman(items: Floats) -> Floats:
    """Correlate the ranks of pairs (r, n, 2); not a number where all of a column are equal."""
    ranks = rankdata(items, axis=1)
    ranks -= ranks.mean(axis=1, keepdims=True)
    x, y = ranks[..., 0], ranks[..., 1]
    with np.errstate(invalid="ignore"):
        correlations: Floats = (x * y).sum(1) / np.sqrt((x * x).sum(1) * (y * y).sum(1))
    return correlations


_STATISTICS = {"mean": _mean, "spearman": _spearman}


def bootstrap(sample: Scores, seed: int = 0) -> Estimate:
    """Return the metric of `sample` with its percentile interval (Efron, 1979).

    Raises
    ------
    ValueError
        If there are no items, or the metric is not defined for them.
    """
    return _estimate(sample, None, seed)


def paired_bootstrap(sample: Scores, baseline: Scores, seed: int = 0) -> Estimate:
    """Return metric of `sample` minus that of `baseline`, both resampled alike (Koehn, 2004).

    Raises
    ------
    ValueError
        If the two were not measured on the same items by the same metric, or it is not defined for them.
    """
    if sample[:2] != baseline[:2] or sample.items.shape != baseline.items.shape:
        raise ValueError(
            "expected two samples of one measurement, got "
            f"{sample.task} {sample.metric} (n={len(sample.items)}) "
            f"and {baseline.task} {baseline.metric} (n={len(baseline.items)})"
        )
    return _estimate(sample, baseline, seed)


def _estimate(sample: Scores, baseline: Scores | None, seed: int) -> Estimate:
    statistic, n = _STATISTICS[sample.statistic], len(sample.items)

    def metric(chosen: NDArray[np.int64]) -> Floats:  # (r, n) positions -> (r,)
        values = statistic(sample.items[chosen])
        return values if baseline is None else values - statistic(baseline.items[chosen])

    value = metric(np.arange(n)[None])[0] if n else np.nan
    if not np.isfinite(value):
        raise ValueError(f"{sample.task} {sample.metric}: expected finite items that differ, got {n} without a value")
    generator, rows = np.random.default_rng(seed), max(_BLOCK // n, 1)
    sizes = [min(rows, _RESAMPLES - start) for start in range(0, _RESAMPLES, rows)]
    drawn = np.concatenate([metric(generator.integers(n, size=(size, n))) for size in sizes])
    # Of few items a resample may hold one alone, of which no correlation is defined: it is left out.
    low, high = np.nanpercentile(drawn, [(100 - _LEVEL) / 2, (100 + _LEVEL) / 2])
    return Estimate(float(value), float(low), float(high))
