"""Codes of rows that a trained head made, beside codes of the teacher's rows and PCA's, on sets as one corpus.

    python scripts/bytes/trained_codes.py VECTORS SET... [--encoder minilm] [--bytes 8 16 32] [--seeds 0 1 2]

The head is trained first, to a width at which it still keeps most; then the codec is fitted to what it makes of rows,
and both are tuned together where that helps. *bits* are the signs of a head that has a dimension for each bit, *int8*
is of one that has one for each byte. *in lists* are the same codes in inverted lists (``index=ivf``) of which a query
visits a tenth, paired with all of them. Tables that codes share learn a small corpus by heart, so all is fitted to
every other document, and to sentences of those, and all documents are coded and searched. Queries are float32, and
meet what codes say. SET and VECTORS are as in ``scripts/quality/retrieval.py``.

Appends rows to docs/results/trained_codes.jsonl, those that are there are not made again, and ends with their tables;
what is trained is paired with the best code that is not. Minutes are of fits.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

import faiss

from projhead import LearnedReducer
from projhead.codecs.base import BaseCodec, fitted_copy
from projhead.codecs.binary import Binary
from projhead.codecs.integer import Integer
from projhead.codecs.pq import ProductQuantizer
from projhead.codecs.residual import ResidualQuantizer
from projhead.data import Scores
from projhead.evaluation.measurements import Measurement, result_rows
from projhead.indexes.ivf import IvfIndex
from projhead.reducers.pca import PCA
from projhead.report.results import read_results
from projhead.report.tables import markdown
from projhead.vectors import Vectors, unit_rows

sys.path.extend(str(Path(__file__).parents[1] / name) for name in ("", "quality"))  # where bench is, and the harness
from harness import RANKS, Collection, collection, parsed, sets_parser, timed, write

#: What needs no training, by bytes.
_PLAIN: dict[str, Callable[[int], BaseCodec]] = {
    "binary": lambda size: Binary(8 * size),
    "pq": ProductQuantizer,
    "opq": lambda size: ProductQuantizer(size, rotate=True),
    "rq": lambda size: ResidualQuantizer(size, n_splits=max(size // 32, 1)),
}


class Form(NamedTuple):
    """From bytes to the codec, and to the width of the head whose rows are coded."""

    codec: Callable[[int], BaseCodec]
    width: Callable[[int], int]


#: A byte says little of more than four dimensions by itself; in a chain it goes on where the others end.
_TRAINED = {
    "pq": Form(ProductQuantizer, lambda size: 4 * size),
    "rq": Form(_PLAIN["rq"], lambda size: 64 if size <= 8 else 128),
    "bits": Form(lambda size: Binary(), lambda size: 8 * size),
    "int8": Form(lambda size: Integer(), lambda size: size),
}


def baselines(given: Collection, size: int) -> Iterator[tuple[Measurement, float]]:
    """Yield codes of the teacher's rows and of PCA's, fitted to every other document, and the minutes of the fit."""
    rows = unit_rows(given.documents)
    for make in _PLAIN.values():
        codec, minutes = timed(partial(fitted_copy, make(size), rows[::2]))
        yield measured(given, "teacher", codec, size, 0, rows, "baseline"), minutes
    for name in ("pq", "rq", "int8"):
        form = _TRAINED[name]
        pca = PCA(form.width(size), center=False).fit(given.documents[::2])
        rows = pca.transform(given.documents)
        queries = {of: pca.transform(asked) for of, asked in given.queries.items()}
        codec, minutes = timed(partial(fitted_copy, form.codec(size), rows[::2]))
        yield measured(given, "pca_uncentered", codec, size, 0, rows, "baseline", queries), minutes


def trained(given: Collection, name: str, size: int, seed: int) -> tuple[list[Measurement], float, str]:
    """Return what codes of a trained head's rows keep, in lists too, the minutes of the fit and what it says."""
    form, half = _TRAINED[name], given.of % 2 == 0
    head = LearnedReducer(form.width(size), codec=form.codec(size), random_state=seed)
    fitted, minutes = timed(lambda: head.fit(given.documents[::2], queries=given.sentences[half]))
    queries = {of: fitted.transform(asked) for of, asked in given.queries.items()}
    rows = fitted.transform(given.documents)
    one = measured(given, f"learned, {name}", head.codec_, size, seed, rows, "subject", queries)
    if isinstance(head.codec_, Binary | Integer):
        return [one], minutes, head.summary_
    index = IvfIndex(head.codec_, lists=(lists := int(len(rows) ** 0.5)), nprobe=max(lists // 10, 1)).build(rows)
    found = given.scores_found(lambda asked: index.search(asked, RANKS)[1], queries)
    listed = replace(one, reducer=f"learned, {name}, in lists", scores=_half_seen(found), baselines=[one])
    return [one, listed], minutes, head.summary_


def measured(
    given: Collection,
    name: str,
    codec: BaseCodec,
    size: int,
    seed: int,
    rows: Vectors,
    role: str,
    queries: dict[str, Vectors] | None = None,
) -> Measurement:
    """Return what rows (n, k) in a code keep, met by queries as they are, or by the teacher's."""
    scores = _half_seen(given.scores_of(codec.decode(codec.encode(rows)), queries))
    return Measurement(name, rows.shape[1], seed, scores, codec=codec.name, bytes_per_vector=size, role=role)


def _half_seen(found: list[Scores]) -> list[Scores]:
    return [one._replace(task=one.task.replace("retrieval", "half seen")) for one in found]


def main() -> None:
    made = sets_parser(__doc__, "trained_codes.jsonl")
    made.add_argument("--bytes", type=int, nargs="+", default=[8, 16, 32])
    made.add_argument("--forms", nargs="+", default=list(_TRAINED), choices=list(_TRAINED))
    args = parsed(made)
    faiss.omp_set_num_threads(args.threads)
    given = collection(args.sets, args.vectors, args.encoder)
    there = (
        {(row.reducer, row.bytes_per_vector, row.seed) for row in read_results(args.out)} if args.out.exists() else ()
    )
    if not there:
        full = Measurement("teacher", given.documents.shape[1], 0, _half_seen(given.scores()), role="reference")
        write(args.out, result_rows([full], given.teacher))
    for size in args.bytes:
        narrower = [name for name in args.forms if _TRAINED[name].width(size) <= given.documents.shape[1]]
        left = [
            (name, seed) for name in narrower for seed in args.seeds if (f"learned, {name}", size, seed) not in there
        ]
        if not left:
            continue
        beside = []
        for one, minutes in baselines(given, size):
            beside.append(replace(one, reducer=f"{one.reducer}, {one.codec}"))
            if ("teacher", size, 0) not in there:
                write(args.out, [replace(row, minutes=minutes) for row in result_rows([one], given.teacher)])
        for name, seed in left:
            (one, *lists), minutes, summary = trained(given, name, size, seed)
            rows = result_rows([replace(one, baselines=beside), *lists], given.teacher)
            write(args.out, rows, minutes)
            kept = ", ".join(f"{row.task} {100 * row.value:+.1f} to {row.baseline}" for row in rows if row.baseline)
            print(f"{size} bytes, {name}, seed {seed}: {kept}; {60 * minutes:.0f} s; {summary}", flush=True)
    print(markdown(read_results(args.out)))


if __name__ == "__main__":
    main()
