"""Time PCA against scikit-learn's ``PCA(svd_solver="auto")``, and how far each is from PCA by a full decomposition.

    python scripts/pca_cost.py                     few rows of wide vectors, many rows of narrow ones
    python scripts/pca_cost.py 300x4096 10000x2048 --n-components 64 128 --spectrum flat

A table row per shape and width: seconds of processor time (the least of some tries), their ratio, and by how much the
axes of each miss the exact ones: one minus the smallest cosine, up to sign. Axes of nearly equal variance are hard to
tell apart; those of ``flat``, which is noise, all are. From 3,000 on of the shorter side there is no full decomposition
to compare with.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.linalg
import sklearn.decomposition

from projhead.reducers.pca import PCA
from projhead.vectors import Vectors, unit_rows

_SHAPES = (
    *("300x384", "300x2048", "300x4096", "2000x384", "2000x1024", "2000x2048", "2000x4096", "10000x384"),
    *("10000x768", "10000x1024", "10000x2048", "10000x4096", "100000x384", "100000x768", "1000000x384"),
)
_FULL = 3000


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shapes", nargs="*", default=_SHAPES)
    parser.add_argument("--n-components", type=int, nargs="+", default=[64, 128])
    parser.add_argument("--spectrum", choices=["falling", "flat"], default="falling")
    given = parser.parse_args()
    print("| rows x width | to | projhead, s | scikit-learn, s | its solver | ratio | ours misses by | its misses by |")
    print("|---|---|---|---|---|---|---|---|")
    for shape in given.shapes:
        n, d = map(int, shape.split("x"))
        rows = made_up(n, d, falling=given.spectrum == "falling")
        for k in given.n_components:
            own, ours = timed(lambda k=k, rows=rows: PCA(k).fit(rows))
            other, its = timed(lambda k=k, rows=rows: sklearn.decomposition.PCA(k, random_state=0).fit(rows))
            missed = ["", ""]
            if min(n, d) < _FULL:
                exact = full(rows, k)
                cosines = [np.abs((fitted.components_ * exact).sum(1)).min() for fitted in (ours, its)]
                missed = [f"{max(1 - cosine, 0):.0e}" for cosine in cosines]
            row = [f"{n:,} x {d:,}", str(k), f"{own:.2f}", f"{other:.2f}", its._fit_svd_solver, f"{own / other:.2f}"]
            print("| " + " | ".join([*row, *missed]) + " |", flush=True)


def made_up(n: int, d: int, *, falling: bool) -> Vectors:
    """Return unit rows: noise, or with a mean and variances that fall as those of sentence embeddings do."""
    generator = np.random.default_rng(0)
    rows = generator.standard_normal((n, d), dtype=np.float32)
    if falling:
        rows *= (np.arange(1, d + 1) ** -0.45).astype(np.float32)
        rows += generator.standard_normal(d, dtype=np.float32) * np.float32(0.5 / d**0.5)
    return unit_rows(rows)


def timed(fit: Callable[[], Any]) -> tuple[float, Any]:
    """Return the least processor time of up to five fits, within some seconds, and what was fitted."""
    times: list[float] = []
    while len(times) < 5 and sum(times) < 4:
        start = time.process_time()
        fitted = fit()
        times.append(time.process_time() - start)
    return min(times), fitted


def full(rows: Vectors, k: int) -> np.ndarray:
    """Return the k principal axes by a full decomposition in float64."""
    exact = rows.astype(np.float64) - rows.mean(0, dtype=np.float64)
    if len(exact) <= exact.shape[1]:
        return scipy.linalg.svd(exact, full_matrices=False, lapack_driver="gesdd")[2][:k]
    return np.linalg.eigh(exact.T @ exact)[1].T[::-1][:k]


if __name__ == "__main__":
    main()
