"""Heads trained through their codes, with a warp and without, beside codes of as many bytes, on sets as one corpus.

    python scripts/bytes/trained_codes.py VECTORS SET... [--encoder minilm] [--bytes 16 32] [--seeds 0 1 2]

A head of the teacher's width costs no byte where rows are stored as codes. *linear* turns and stretches the space that
product quantizers divide, *warped* is the default head, which bends it; with *residual* both meet chains of eight
residual codes, each for a part of the dimensions, and fit far longer (``--forms``); *warped bits* are the signs of a
head that has a dimension for each bit. *in lists* are the same codes in inverted lists (``index=ivf``) of which a query
visits a tenth, paired with all of them. Tables that codes share learn a small corpus by heart, so all is fitted to
every other document, and to sentences of those, and all documents are coded and searched. Queries are float32, and meet
what codes say. SET and VECTORS are as in ``scripts/quality/retrieval.py``. Appends rows to
docs/results/trained_codes.jsonl, those that are there are not made again, and ends with their tables; what is trained
is paired with the best code that is not.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import faiss

from projhead import LearnedReducer
from projhead.codecs.base import BaseCodec, fitted_copy
from projhead.codecs.binary import Binary
from projhead.codecs.pq import ProductQuantizer
from projhead.codecs.residual import ResidualQuantizer
from projhead.data import Scores
from projhead.evaluation.measurements import Measurement, result_rows
from projhead.heads.linear import Linear
from projhead.heads.residual_mlp import ResidualMLP
from projhead.indexes.ivf import IvfIndex
from projhead.report.results import read_results
from projhead.report.tables import markdown
from projhead.vectors import Vectors, unit_rows

sys.path.extend(str(Path(__file__).parents[1] / name) for name in ("", "quality"))  # where bench is, and the harness
from harness import RANKS, Collection, collection, parsed, sets_parser, timed, write

#: Half the batch and three quarters of the steps of a float head serve codes as well, in a third of the time.
_SHORT = {"n_queries": 256, "n_anchors": 128, "n_documents": 768, "max_steps": 300, "validation_rows": 256}


def _residual(size: int) -> ResidualQuantizer:
    """Return chains of eight residual codes: one chain of all fits many times as long."""
    return ResidualQuantizer(size, max(size // 8, 1))


#: What needs no training, by bytes.
_PLAIN: dict[str, Callable[[int], BaseCodec]] = {
    "binary": lambda size: Binary(8 * size),
    "pq": ProductQuantizer,
    "opq": lambda size: ProductQuantizer(size, rotate=True),
    "prq": _residual,
}


class Form(NamedTuple):
    """What is trained: the head, and from bytes to the codec and to the width that is coded, the teacher's if None."""

    head: type[Linear] | type[ResidualMLP]
    codec: Callable[[int], BaseCodec]
    width: Callable[[int], int | None] = lambda size: None


_TRAINED = {
    "linear": Form(Linear, ProductQuantizer),
    "warped": Form(ResidualMLP, ProductQuantizer),
    "linear residual": Form(Linear, _residual),
    "warped residual": Form(ResidualMLP, _residual),
    "warped bits": Form(ResidualMLP, lambda size: Binary(), lambda size: 8 * size),
}
#: Those that fit in minutes.
_DEFAULT = ["linear", "warped", "warped bits"]


def baselines(given: Collection, size: int) -> Iterator[Measurement]:
    """Yield codes of the full width, fitted to every other document."""
    for make in _PLAIN.values():
        codec = fitted_copy(make(size), unit_rows(given.documents[::2]))
        yield measured(given, "teacher", codec, size, 0, unit_rows(given.documents), "baseline")


def trained(given: Collection, name: str, size: int, seed: int) -> tuple[list[Measurement], float]:
    """Return what a head trained through its codec keeps, in lists too, and the minutes of its fit."""
    form, half = _TRAINED[name], given.of % 2 == 0
    head = LearnedReducer(
        form.width(size) or given.documents.shape[1],
        codec=form.codec(size), head=form.head, random_state=seed, **_SHORT,
    )  # fmt: skip
    fitted, minutes = timed(lambda: head.fit(given.documents[::2], queries=given.sentences[half]))
    queries = {of: fitted.transform(asked) for of, asked in given.queries.items()}
    rows = fitted.transform(given.documents)
    one = measured(given, name, head.codec_, size, seed, rows, "subject", queries)
    if isinstance(head.codec_, Binary):
        return [one], minutes
    index = IvfIndex(head.codec_, lists=(lists := int(len(rows) ** 0.5)), nprobe=max(lists // 10, 1)).build(rows)
    found = given.scores_found(lambda asked: index.search(asked, RANKS)[1], queries)
    return [one, replace(one, reducer=f"{name}, in lists", scores=_half_seen(found), baselines=[one])], minutes


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
    made.add_argument("--bytes", type=int, nargs="+", default=[16, 32])
    made.add_argument("--forms", nargs="+", default=_DEFAULT, choices=list(_TRAINED))
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
        left = [(name, seed) for name in args.forms for seed in args.seeds if (name, size, seed) not in there]
        if not left:
            continue
        others = list(baselines(given, size))
        if ("teacher", size, 0) not in there:
            write(args.out, result_rows(others, given.teacher))
        beside = [replace(one, reducer=one.codec) for one in others]
        for name, seed in left:
            (one, *lists), minutes = trained(given, name, size, seed)
            rows = result_rows([replace(one, baselines=beside), *lists], given.teacher)
            write(args.out, rows, minutes)
            kept = ", ".join(f"{row.task} {100 * row.value:+.1f} to {row.baseline}" for row in rows if row.baseline)
            print(f"{size} bytes, {name}, seed {seed}: {kept}; {60 * minutes:.0f} s", flush=True)
    print(markdown(read_results(args.out)))


if __name__ == "__main__":
    main()
