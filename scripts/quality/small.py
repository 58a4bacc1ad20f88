"""The default head beside every form of PCA, at few rows and many: neighbors kept of rows that no fit has seen.

    python scripts/quality/small.py VECTORS... [--rows 300 1000 3000 10000 55000] [--widths 16 32 64 128 256]
                                    [--seeds 0 1 2] [--held-out 5000]

VECTORS are a teacher's vectors (.npy, .safetensors, .parquet). Each seed draws the rows held out, and those fitted to,
anew. Baselines are fitted to the same rows; the difference is paired, to the form that is best on the very rows
compared. Appends rows to docs/results/small.jsonl (those that are there are not made again), and ends with the losses.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from harness import done, parsed, parser, pca_forms, timed, write
from tabulate import tabulate

from projhead import LearnedReducer
from projhead.encoders.precomputed import Precomputed
from projhead.evaluation.held_out import held_out
from projhead.report.results import Result, read_results
from projhead.vectors import unit_rows

#: A difference below this is a loss.
TOLERANCE = -0.003


def cell(vectors: Precomputed, n: int, k: int, seed: int, held: int, task: str) -> tuple[list[Result], float, str]:
    """Return the rows of one fit, its minutes and what it says of itself."""
    order = np.random.default_rng(seed).permutation(len(vectors.rows))
    test, train = unit_rows(vectors.rows[np.sort(order[:held])]), vectors.rows[np.sort(order[held : held + n])]
    learned, minutes = timed(lambda: LearnedReducer(k, random_state=seed).fit(train))
    forms = [form.fit(train) for form in pca_forms(k) if k < n]
    found = held_out([learned, *forms], test, teacher=vectors.identity, seed=seed)
    rows = [replace(row, task=task) for row in found.rows if row.metric != "overlap@1"]
    return rows, minutes, learned.summary_


def losses(rows: list[Result]) -> Iterator[list[str]]:
    """Yield the mean difference over seeds of each cell, the worst first."""
    cells: dict[tuple[str, str, int, str], list[Result]] = {}
    for row in rows:
        if row.baseline:
            cells.setdefault((row.encoder, row.task, row.n_components, row.metric), []).append(row)
    for key, same in sorted(cells.items(), key=lambda pair: np.mean([row.value for row in pair[1]])):
        values = [100 * row.value for row in same]
        yield [*map(str, key), f"{np.mean(values):+.2f}", f"{min(values):+.2f}", same[0].baseline, str(len(same))]


def main() -> None:
    made = parser(__doc__, "small.jsonl")
    made.add_argument("vectors", type=Path, nargs="+")
    made.add_argument("--rows", type=int, nargs="+", default=[300, 1000, 3000, 10_000, 55_000])
    made.add_argument("--widths", type=int, nargs="+", default=[16, 32, 64, 128, 256])
    made.add_argument("--held-out", type=int, default=5000)
    args = parsed(made)
    for path in args.vectors:
        vectors = Precomputed(str(path), similarity="cosine")
        for n in args.rows:
            task = f"unseen/{vectors.name}, {n:,} rows"
            for k, seed in ((k, seed) for k in args.widths for seed in args.seeds):
                if (task, k, seed, "learned") in done(args.out) or n + args.held_out > len(vectors.rows):
                    continue
                rows, minutes, history = cell(vectors, n, k, seed, args.held_out, task)
                write(args.out, rows, minutes)
                gains = ", ".join(f"{r.metric} {100 * r.value:+.2f} to {r.baseline}" for r in rows if r.baseline)
                print(f"{task} -> {k}, seed {seed}: {gains}; {60 * minutes:.0f} s; {history}", flush=True)
    header = ["teacher", "task", "dimensions", "metric", "difference", "worst seed", "to", "seeds"]
    print(tabulate(list(losses(read_results(args.out))), header, tablefmt="github", disable_numparse=True))


if __name__ == "__main__":
    main()
