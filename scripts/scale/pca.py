"""Time PCA against scikit-learn's ``PCA(svd_solver="auto")``, and how far each is from PCA by a full decomposition.

    python scripts/scale/pca.py                     few rows of wide vectors, many rows of narrow ones
    python scripts/scale/pca.py 300x4096 10000x2048 --n-components 64 128 --spectrum flat --threads 2

A table row per shape and width: ratios of processor time and of wall time, medians of fits that take turns; the same of
the centered, uncentered and whitened forms together, which share their work; and what the axes of each miss of the
variance that the best keep. From 3,000 on of the shorter side there is no full decomposition to compare with. Shapes
whose rows take more than ``--most`` GiB with scikit-learn's copy of them are left out, and named.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import scipy.linalg
import sklearn.decomposition
from threadpoolctl import threadpool_limits

from projhead.reducers.pca import PCA
from projhead.reducers.spectrum import one_pass
from projhead.vectors import Vectors, unit_rows

sys.path.append(str(Path(__file__).parents[1]))  # where bench is
from bench import in_turns, machine, median
from bench import parser as bench_parser

_SHAPES = (
    *("300x384", "300x1024", "300x2048", "300x4096", "2000x384", "2000x768", "2000x1024", "2000x2048", "2000x4096"),
    *("10000x384", "10000x768", "10000x1024", "10000x2048", "10000x4096", "100000x384", "100000x768", "100000x1024"),
    *("100000x2048", "100000x4096", "1000000x384", "1000000x768", "1000000x1024", "1000000x2048", "1000000x4096"),
)
_FULL = 3000


def main() -> None:
    parser = bench_parser(__doc__)
    parser.add_argument("shapes", nargs="*", default=_SHAPES)
    parser.add_argument("--n-components", type=int, nargs="+", default=[16, 128, 256])
    parser.add_argument("--spectrum", choices=["falling", "flat"], default="falling")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--fits", type=int, default=3)
    parser.add_argument("--most", type=float, default=12)
    given = parser.parse_args()
    print(f"{given.threads} threads of {machine()}\n")
    print("| rows x width | to | projhead, s | scikit-learn, s | its solver | ratio | wall | 3 forms | misses | its |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    with threadpool_limits(given.threads):
        for shape in given.shapes:
            n, d = map(int, shape.split("x"))
            if 2 * 4 * n * d > given.most * 2**30:
                print(f"| {n:,} x {d:,} | | left out: over {given.most:g} GiB |" + " |" * 7)
                continue
            rows = made_up(n, d, falling=given.spectrum == "falling")
            for k in given.n_components:
                print("| " + " | ".join(compared(rows, k, given.fits)) + " |", flush=True)


def compared(rows: Vectors, k: int, fits: int) -> list[str]:
    """Return the cells of one table row."""
    (n, d), short = rows.shape, min(rows.shape)
    ways = {
        "ours": lambda: PCA(k).fit(rows),
        "its": lambda: sklearn.decomposition.PCA(k, random_state=0).fit(rows),
        "all": lambda: three_forms(rows, k),
    }
    times, fitted = in_turns(ways, fits)
    missed = ["", ""]
    if short < _FULL:
        exact = rows.astype(np.float64) - rows.mean(0, dtype=np.float64)
        best = scipy.linalg.eigvalsh(exact.T @ exact if d <= n else exact @ exact.T)[::-1][:k].sum()
        kept = [np.square(exact @ fitted[way].components_.T).sum() / best for way in ("ours", "its")]
        missed = [f"{max(1 - share, 0):.0e}" for share in kept]
    (own_wall, own), (other_wall, other), (_, forms) = map(median, times.values())
    ratios = [f"{own / other:.2f}", f"{own_wall / other_wall:.2f}", f"{forms / other:.2f}"]
    solver = fitted["its"]._fit_svd_solver
    return [f"{n:,} x {d:,}", str(k), f"{own:.3f}", f"{other:.3f}", solver, *ratios, *missed]


def three_forms(rows: Vectors, k: int) -> None:
    """Fit PCA centered, uncentered and whitened, as a comparison does."""
    with one_pass():
        for form in (PCA(k), PCA(k, center=False), PCA(k, whiten=True)):
            form.fit(rows)


def made_up(n: int, d: int, *, falling: bool) -> Vectors:
    """Return unit rows: noise, or with a mean and variances that fall as those of sentence embeddings do."""
    generator = np.random.default_rng(0)
    rows = generator.standard_normal((n, d), dtype=np.float32)
    if falling:
        rows *= (np.arange(1, d + 1) ** -0.45).astype(np.float32)
        rows += generator.standard_normal(d, dtype=np.float32) * np.float32(0.5 / d**0.5)
    return unit_rows(rows)


if __name__ == "__main__":
    main()
