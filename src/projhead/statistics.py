"""Bootstrap intervals for a measurement and for the difference of two."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from projhead.protocols import Sample

_RESAMPLES = 1000
_LEVEL = 95.0


class Estimate(NamedTuple):
    """A value and the ends of its 95% interval."""

    value: float
    low: float
    high: float


def _spearman(items: NDArray[np.float64]) -> float:
    ranks = rankdata(items, axis=0)
    return float(np.corrcoef(ranks, rowvar=False)[0, 1])


def _mean(items: NDArray[np.float64]) -> float:
    return float(items.mean())


_STATISTICS = {"mean": _mean, "spearman": _spearman}


def _interval(value: float, drawn: list[float]) -> Estimate:
    low, high = np.percentile(drawn, [(100 - _LEVEL) / 2, (100 + _LEVEL) / 2])
    return Estimate(value, float(low), float(high))


def bootstrap(sample: Sample, seed: int = 0) -> Estimate:
    """Return the metric of `sample` with its percentile interval (Efron, 1979)."""
    statistic, n = _STATISTICS[sample.statistic], len(sample.items)
    generator = np.random.default_rng(seed)
    drawn = [statistic(sample.items[generator.integers(n, size=n)]) for _ in range(_RESAMPLES)]
    return _interval(statistic(sample.items), drawn)


def paired_bootstrap(sample: Sample, baseline: Sample, seed: int = 0) -> Estimate:
    """Return metric of `sample` minus that of `baseline`, both resampled alike (Koehn, 2004).

    Raises
    ------
    ValueError
        If the two were not measured on the same items by the same metric.
    """
    if (sample.task, sample.metric, len(sample.items)) != (baseline.task, baseline.metric, len(baseline.items)):
        raise ValueError(
            f"expected two samples of one measurement, got {sample.task} {sample.metric} (n={len(sample.items)}) "
            f"and {baseline.task} {baseline.metric} (n={len(baseline.items)})"
        )
    statistic, n = _STATISTICS[sample.statistic], len(sample.items)
    generator = np.random.default_rng(seed)
    drawn = []
    for _ in range(_RESAMPLES):
        chosen = generator.integers(n, size=n)
        drawn.append(statistic(sample.items[chosen]) - statistic(baseline.items[chosen]))
    return _interval(statistic(sample.items) - statistic(baseline.items), drawn)
