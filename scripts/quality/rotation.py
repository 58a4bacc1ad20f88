"""One rotation for all widths, post-hoc: exact at full width, its first columns beside a head for each width alone.

    python scripts/quality/rotation.py VECTORS... [--rows 20000] [--widths 16 32 64 128 256] [--seeds 0 1 2]

VECTORS are a teacher's vectors (.npy, .safetensors, .parquet). ``rotation`` is one fit, nested at full width; a prefix
of it costs nothing. Beside it: a linear head trained for that width alone, what the Matryoshka-Adaptor's loss makes of
a nested head of full width, every form of PCA, random projection and truncation. Appends rows to
docs/results/rotation.jsonl, what is kept of the 10 and the 100 nearest of rows that no fit has seen; the rotation is
paired with the best baseline, and with the linear head.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from harness import done, other_baselines, parsed, parser, pca_forms, timed, write

from projhead import LearnedReducer
from projhead.data import Scores
from projhead.encoders.precomputed import Precomputed
from projhead.evaluation.measurements import Measurement, result_rows
from projhead.heads.linear import Linear
from projhead.heads.rotation import Rotation
from projhead.losses.matryoshka_adaptor import MatryoshkaAdaptor
from projhead.report.results import Result, read_results
from projhead.report.tables import markdown
from projhead.vectors import Vectors, neighbor_overlap, unit_rows

TOP_K = (10, 100)


def scores(test: Vectors, reduced: Vectors, task: str) -> list[Scores]:
    overlap = neighbor_overlap(test, reduced, TOP_K).astype(np.float64)
    return [Scores(task, f"overlap@{k}", overlap[:, column]) for column, k in enumerate(TOP_K)]


def seed_rows(
    vectors: Precomputed, args: argparse.Namespace, seed: int, task: str
) -> Iterator[tuple[list[Result], float]]:
    """Yield the rows of one seed, and the minutes of the fit behind them."""
    order, d = np.random.default_rng(seed).permutation(len(vectors.rows)), vectors.dimension
    test = unit_rows(vectors.rows[np.sort(order[: args.held_out])])
    train, teacher = vectors.rows[np.sort(order[args.held_out :][: args.rows])], vectors.identity
    nested = {"head": Rotation, "nested": args.widths, "random_state": seed}
    rotation, minutes = timed(lambda: LearnedReducer(d, **nested).fit(train))
    adaptor, adapted = timed(
        lambda: LearnedReducer(d, **nested | {"head": None, "blend": 1.0}, loss=MatryoshkaAdaptor()).fit(train)
    )
    whole, exact = rotation.transform(test), test @ test.T
    error = float(np.abs(whole @ whole.T - exact).max())
    yield [_number("score_error", error, d, len(test), seed, task, vectors)], minutes
    for k in args.widths:
        linear, alone = timed(lambda k=k: LearnedReducer(k, head=Linear, random_state=seed).fit(train))
        forms = [one.fit(train) for one in (*pca_forms(k), *other_baselines(k))]

        def measured(name: str, reduced: Vectors, others: list[Measurement], k: int = k) -> Measurement:
            role = "subject" if others else "baseline"
            return Measurement(name, k, seed, scores(test, reduced, task), others, role=role)

        others = [measured(one.kind, one.transform(test), []) for one in forms]
        others.append(measured("matryoshka_adaptor", adaptor.prefix(k).transform(test), []))
        prefix = unit_rows(whole[:, :k])
        beside = measured("linear", linear.transform(test), others)
        yield result_rows(others, teacher), 0.0
        yield result_rows([beside], teacher), alone
        yield result_rows([measured("rotation", prefix, others)], teacher), minutes
        against = result_rows([measured("rotation", prefix, [beside])], teacher)
        yield [row for row in against if row.baseline], minutes
    print(f"seed {seed}: rotation {60 * minutes:.0f} s ({rotation.summary_}), adaptor {60 * adapted:.0f} s", flush=True)


def _number(metric: str, value: float, width: int, n: int, seed: int, task: str, vectors: Precomputed) -> Result:
    return Result(
        task, metric, value, value, value, "rotation", width, n, vectors.name, vectors.identity.key, seed=seed
    )


def main() -> None:
    made = parser(__doc__, "rotation.jsonl")
    made.add_argument("vectors", type=Path, nargs="+")
    made.add_argument("--rows", type=int, default=20_000)
    made.add_argument("--widths", type=int, nargs="+", default=[16, 32, 64, 128, 256])
    made.add_argument("--held-out", type=int, default=4000)
    args = parsed(made)
    for path in args.vectors:
        vectors = Precomputed(str(path), similarity="cosine")
        task = f"unseen/{vectors.name}, {args.rows:,} rows"
        for seed in args.seeds:
            if (task, args.widths[-1], seed, "rotation") not in done(args.out):
                for rows, minutes in seed_rows(vectors, args, seed, task):
                    write(args.out, rows, minutes)
    rows = [replace(row, task=row.task.replace("unseen", "nested")) for row in read_results(args.out)]
    print(markdown(rows))


if __name__ == "__main__":
    main()
