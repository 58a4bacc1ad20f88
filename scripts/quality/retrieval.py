"""Retrieval with text: heads trained on documents and sentences of them, beside every form of PCA and all else.

    python scripts/quality/retrieval.py VECTORS SET... [--encoder minilm] [--widths 32 64 128] [--alone] [--nested]

SET is a folder in the BEIR layout or its name on the hub. All sets are one corpus, or with --alone each is one of its
own. Documents are fitted to, and sentences of them as pseudo-queries; real queries and judgments are measured on and
never trained on. VECTORS is a folder that keeps the teacher's vectors. Baselines are fitted to the same documents,
LeanVec to the sentences too. Appends rows to docs/results/retrieval.jsonl, those that are there are not made again,
and ends with their tables.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path

from harness import Collection, collection, done, other_baselines, parsed, pca_forms, sets_parser, timed, write

from projhead import LearnedReducer
from projhead.data import Scores
from projhead.evaluation.measurements import Measurement, result_rows
from projhead.reducers.base import Reducer
from projhead.reducers.leanvec import LeanVec
from projhead.report.results import Result, read_results
from projhead.report.tables import markdown


def scores(given: Collection, reducer: Reducer | None, union: bool) -> list[Scores]:
    """Return the scores of every set, named for what was searched."""
    found = given.scores(reducer)
    return [one._replace(task=one.task.replace("retrieval", "union")) for one in found] if union else found


def baselines(given: Collection, k: int, union: bool) -> Iterator[Measurement]:
    """Yield every baseline, fitted to the documents, and to the sentences where it takes queries."""
    fitted = [one.fit(given.documents) for one in (*pca_forms(k), *other_baselines(k))]
    for one in (*fitted, LeanVec(k).fit(given.documents, queries=given.sentences)):
        yield Measurement(one.kind, k, 0, scores(given, one, union), role="baseline")


#: From width and seed to the head, the minutes that its fit took and what it says of it.
Fits = Callable[[int, int], tuple[Reducer, float, str]]


def fits_of(given: Collection, widths: Sequence[int], nested: bool) -> Fits:
    """Return what fits a head for each width, or cuts one that was fitted for all of them."""

    @cache
    def fit(k: int, seed: int) -> tuple[Reducer, float, str]:
        if nested and k < max(widths):
            whole, minutes, summary = fit(max(widths), seed)
            return whole.prefix(k), minutes, summary
        head = LearnedReducer(k, nested=sorted(widths)[:-1] if nested else [], random_state=seed)
        fitted, minutes = timed(lambda: head.fit(given.documents, queries=given.sentences))
        return fitted, minutes, head.summary_

    return fit


def add(given: Collection, k: int, seeds: list[int], out: Path, union: bool, fits: Fits) -> None:
    """Append what lacks of one width."""
    there, name = done(out), "union" if union else "retrieval"
    tasks = [f"{name}/{one}" for one in given.queries]
    left = [seed for seed in seeds if any((task, k, seed, "learned") not in there for task in tasks)]
    if not left:
        return
    others = list(baselines(given, k, union))
    if not any((task, k, 0, "pca") in there for task in tasks):
        write(out, result_rows(others, given.teacher))
    for seed in left:
        fitted, minutes, summary = fits(k, seed)
        found = scores(given, fitted, union)
        rows = result_rows([Measurement("learned", k, seed, found, others)], given.teacher)
        write(out, rows, minutes)
        print(f"{k}, seed {seed}: {said(rows)}; {60 * minutes:.0f} s; {summary}", flush=True)


def said(rows: list[Result]) -> str:
    """Return the differences in words."""
    return ", ".join(f"{row.task} {100 * row.value:+.1f} to {row.baseline}" for row in rows if row.baseline)


def main() -> None:
    made = sets_parser(__doc__, "retrieval.jsonl")
    made.add_argument("--widths", type=int, nargs="+", default=[32, 64, 128])
    made.add_argument("--alone", action="store_true", help="each set is a corpus of its own")
    made.add_argument("--nested", action="store_true", help="one head, whose first columns serve the smaller widths")
    args = parsed(made)
    for sets in [[one] for one in args.sets] if args.alone else [args.sets]:
        given = collection(sets, args.vectors, args.encoder)
        print(f"{len(given.documents):,} documents, {len(given.sentences):,} sentences", flush=True)
        width = given.documents.shape[1]
        if not any(("union" in task) != args.alone and k == width for task, k, _, _ in done(args.out)):
            full = Measurement("teacher", width, 0, scores(given, None, not args.alone), role="reference")
            write(args.out, result_rows([full], given.teacher))
        fits = fits_of(given, args.widths, args.nested)
        for k in args.widths:
            add(given, k, args.seeds, args.out, not args.alone, fits)
    print(markdown(read_results(args.out)))


if __name__ == "__main__":
    main()
