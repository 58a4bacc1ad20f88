"""Retrieval with text: heads trained on documents and sentences of them, beside every form of PCA and all else.

    python scripts/quality/retrieval.py VECTORS SET... [--encoder minilm] [--widths 32 64 128] [--seeds 0 1 2] [--alone]

SET is a folder in the BEIR layout or its name on the hub. All sets are one corpus, or with --alone each is one of its
own. Documents are fitted to, and sentences of them as pseudo-queries; real queries and judgments are measured on and
never trained on. VECTORS is a folder that keeps the teacher's vectors. Baselines are fitted to the same documents.
Appends rows to docs/results/retrieval.jsonl, those that are there are not
made again, and ends with their tables.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from harness import Collection, collection, done, other_baselines, parsed, parser, pca_forms, timed, write

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


def add(given: Collection, k: int, seeds: list[int], out: Path, union: bool) -> None:
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
        head = LearnedReducer(k, random_state=seed)
        fitted, minutes = timed(lambda head=head: head.fit(given.documents, queries=given.sentences))
        found = scores(given, fitted, union)
        rows = result_rows([Measurement("learned", k, seed, found, others)], given.teacher)
        write(out, rows, minutes)
        print(f"{k}, seed {seed}: {said(rows)}; {60 * minutes:.0f} s; {head.summary_}", flush=True)


def said(rows: list[Result]) -> str:
    """Return the differences in words."""
    return ", ".join(f"{row.task} {100 * row.value:+.1f} to {row.baseline}" for row in rows if row.baseline)


def main() -> None:
    made = parser(__doc__, "retrieval.jsonl")
    made.add_argument("vectors", type=Path)
    made.add_argument("sets", nargs="+")
    made.add_argument("--encoder", default="minilm", help="minilm, or a sentence-transformers model")
    made.add_argument("--widths", type=int, nargs="+", default=[32, 64, 128])
    made.add_argument("--alone", action="store_true", help="each set is a corpus of its own")
    args = parsed(made)
    for sets in [[one] for one in args.sets] if args.alone else [args.sets]:
        given = collection(sets, args.vectors, args.encoder)
        print(f"{len(given.documents):,} documents, {len(given.sentences):,} sentences", flush=True)
        width = given.documents.shape[1]
        if not any(("union" in task) != args.alone and k == width for task, k, _, _ in done(args.out)):
            full = Measurement("teacher", width, 0, scores(given, None, not args.alone), role="reference")
            write(args.out, result_rows([full], given.teacher))
        for k in args.widths:
            add(given, k, args.seeds, args.out, not args.alone)
    print(markdown(read_results(args.out)))


if __name__ == "__main__":
    main()
