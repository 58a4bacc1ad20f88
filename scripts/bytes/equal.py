"""Every way to store a vector in so many bytes, ours and others, on retrieval sets of your own.

    python scripts/bytes/equal.py OUT SET... [--bytes 8 16 32 64] [--methods pq learned_pq ...] [--seeds 0 1 2]
                                  [--every-other]

SET is a folder in the BEIR layout or its name on the hub. Codes, PCA and heads are fitted to the set's documents, and
heads to sentences of them as pseudo-queries; test queries and judgments are never seen in fitting. Queries stay float
and meet decoded documents. Sizes come in the order given, all methods of one before the next. With --every-other all is
fitted to every other document and measured on all: what shared tables learned by heart does not help there. A run gone
on with leaves out what OUT/items has. It ends with OUT/report, where what is learned, the mean of its seeds for each
query, is paired with the best of all else of as many bytes, chosen on the very numbers compared, which favors that.
Beside judgments, overlap@10 is the share of the teacher's ten nearest documents of each test query that are found.
"""

from __future__ import annotations

import argparse
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import faiss
import numpy as np
from tqdm import tqdm

from projhead import PCA, LearnedReducer
from projhead.codecs.base import BaseCodec, fitted_copy
from projhead.codecs.binary import Binary
from projhead.codecs.cast import Cast
from projhead.codecs.integer import Integer
from projhead.codecs.itq import ITQ
from projhead.codecs.pq import ProductQuantizer
from projhead.codecs.rabitq import RaBitQ
from projhead.codecs.residual import ResidualQuantizer
from projhead.corpora.queries import central, pseudo_queries
from projhead.corpora.retrieval import load_beir
from projhead.data import Scores
from projhead.encoders.coded import Coded
from projhead.encoders.minilm import MiniLM
from projhead.encoders.reduced import Reduced
from projhead.encoders.sentence_transformer import SentenceTransformerEncoder
from projhead.evaluation.measurements import Measurement, result_rows
from projhead.persistence.files import atomic_file
from projhead.report.page import write_report
from projhead.report.results import Result, append_results, read_results
from projhead.store.cached import Cached
from projhead.tasks.retrieval import Retrieval
from projhead.vectors import exact_top_k

sys.path.append(str(Path(__file__).parents[1]))  # where bench is
from bench import parser as bench_parser

TOP_K = 10
BYTES = [8, 16, 32, 48, 64, 96, 128, 256]


class LSQ(ResidualQuantizer):
    """FAISS's local search; no codec of projhead, as a row's code depends on the rows coded with it."""

    def __init__(self, n_bytes: int) -> None:
        super().__init__(n_bytes)
        self.name = f"lsq_{n_bytes}"

    def _quantizer(self, dimension: int) -> Any:
        quantizer: Any = faiss.LocalSearchQuantizer(dimension, self.n_bytes, 8)
        quantizer.encode_ils_iters, quantizer.train_type = 16, 0
        return quantizer


class Method(NamedTuple):
    """What stores vectors of width d in so many bytes.

    Attributes
    ----------
    role : {"reference", "baseline", "subject"}
        Of what is stored: the teacher's vectors, what PCA makes of them, or what a trained head does.
    width : callable
        From d and bytes to the width of what is coded.
    codec : callable
        From bytes to the codec.
    """

    role: str
    width: Callable[[int, int], int]
    codec: Callable[[int], BaseCodec]


def full(d: int, size: int) -> int:
    """Return the teacher's width."""
    return d


def bits(d: int, size: int) -> int:
    """Return a dimension for each bit, while there are so many."""
    return 8 * size


class Deep(ResidualQuantizer):
    """Sixteen stages in a group, not eight: twice the tables, twice the rows to fill them."""

    def __init__(self, n_bytes: int) -> None:
        super().__init__(n_bytes, max(n_bytes // 16, 1))
        self.name = f"prq16_{n_bytes}"


def third(d: int, size: int) -> int:
    """Return a third of the teacher's width, as a multiple of the bytes."""
    return -(-(d // 3) // size) * size


#: Roles of reducers; all others are baselines.
ROLES = {"teacher": "reference", "learned": "subject"}
METHODS = {
    "pq": Method("reference", full, ProductQuantizer),
    "opq": Method("reference", full, lambda size: ProductQuantizer(size, rotate=True)),
    "rq": Method("reference", full, ResidualQuantizer),
    "prq": Method("reference", full, lambda size: ResidualQuantizer(size, max(size // 8, 1))),
    "prq16": Method("reference", full, Deep),
    "lsq": Method("reference", full, LSQ),
    "binary": Method("reference", full, lambda size: Binary(8 * size)),
    "itq": Method("reference", full, lambda size: ITQ(8 * size)),
    "rabitq": Method("baseline", lambda d, size: 8 * (size - 8), lambda size: RaBitQ()),  # 8 bytes are corrections
    "pca_float32": Method("baseline", lambda d, size: size // 4, lambda size: Cast()),
    "pca_float16": Method("baseline", lambda d, size: size // 2, lambda size: Cast("float16")),
    "pca_int8": Method("baseline", lambda d, size: size, lambda size: Integer()),
    "pca_opq": Method("baseline", third, lambda size: ProductQuantizer(size, rotate=True)),
    "pca_rq": Method("baseline", third, ResidualQuantizer),
    "learned_float16": Method("subject", lambda d, size: size // 2, lambda size: Cast("float16")),
    "learned_binary": Method("subject", bits, lambda size: Binary()),
    "learned_int8": Method("subject", lambda d, size: size, lambda size: Integer()),
    "learned_pq": Method("subject", third, ProductQuantizer),
    "learned_rq": Method("subject", third, ResidualQuantizer),
}


class Subject(NamedTuple):
    """Something to be measured: as in a result row, and what fits it."""

    reducer: str
    width: int
    seed: int
    codec: str
    fit: Callable[[], Coded]


class Bench:
    """One set: its teacher's vectors, and what every method is fitted to."""

    def __init__(self, path: str, args: argparse.Namespace) -> None:
        self.encoder = SentenceTransformerEncoder(args.teacher) if args.teacher else MiniLM()
        self.teacher = Cached(self.encoder, args.out / "stores", show_progress=True)
        self.task, self.out, data = Retrieval(path), args.out, load_beir(path)
        self.name = f"retrieval/{data.name}" + (", half seen" if args.every_other else "")
        texts = [document.text for document in data.corpus]
        queries = pseudo_queries(texts)
        rows, sentences = self.teacher.encode_document(texts), self.teacher.encode_query(queries.texts)
        self.texts, self.asked = texts, [query.text for query in data.queries]
        self.nearest = exact_top_k(self.teacher.encode_query(self.asked), rows, TOP_K)[1]
        chosen, step = central(sentences, rows, queries.documents, queries.keep), 2 if args.every_other else 1
        self.rows, self.queries = rows[::step], sentences[chosen[queries.documents[chosen] % step == 0]]

    def subjects(self, method: Method, size: int, seeds: list[int]) -> Iterator[Subject]:
        """Yield what a method is at a size; nothing where it cannot have that size."""
        width, codec = method.width(self.teacher.dimension, size), method.codec(size)
        try:
            fits = 0 < width <= self.teacher.dimension and codec.bytes_per_vector(width) == size
        except ValueError:
            fits = False
        if not fits:
            return
        if method.role == "subject":
            for seed in seeds:
                fit = partial(self._trained, width, codec, seed)
                yield Subject("learned", width, seed, f"{codec.name} (trained)" if codec.learns else codec.name, fit)
            return
        forms = {"pca": PCA(width), "pca_uncentered": PCA(width, center=False)}
        for name, reducer in (forms if method.role == "baseline" else {"teacher": None}).items():
            yield Subject(name, width, 0, codec.name, partial(self._fitted, reducer, codec))

    def _fitted(self, pca: PCA | None, codec: BaseCodec) -> Coded:
        if pca is None:
            return Coded(self.teacher, fitted_copy(codec, self.rows), trained=True)
        rows = pca.fit(self.rows).transform(self.rows)
        return Coded(Reduced(self.teacher, pca), fitted_copy(codec, rows), trained=True)

    def _trained(self, width: int, codec: BaseCodec, seed: int) -> Coded:
        own = codec if codec.learns else None
        reducer = LearnedReducer(width, codec=own, random_state=seed).fit(self.rows, queries=self.queries)
        return Coded(Reduced(self.teacher, reducer), reducer.codec_ or codec, trained=reducer.codec_ is not None)

    def add(self, subject: Subject, size: int) -> None:
        """Measure one subject, unless that was done."""
        place = self.out / "items" / self.name.replace("/", "_") / str(size)
        file = place / f"{subject.reducer} {subject.width} {subject.codec} {subject.seed}.npz"
        if file.exists():
            return
        coded = subject.fit()
        samples = [sample._replace(task=self.name) for sample in self.task.run(coded, self.teacher)]
        documents = coded.stored(coded.encode_document(self.texts))
        found = exact_top_k(coded.encode_query(self.asked), documents, TOP_K)[1]
        kept = (found[:, :, None] == self.nearest[:, None]).any(1).mean(1)  # (q, k, k) -> (q,)
        samples.append(Scores(self.name, f"overlap@{TOP_K}", kept))
        measured = Measurement(
            *subject[:3],
            samples,
            codec=subject.codec,
            bytes_per_vector=size,
            role=role_of(subject.reducer),
        )
        append_results(self.out / "results.jsonl", result_rows([measured], self.encoder.identity))
        with atomic_file(file) as temporary, temporary.open("wb") as opened:
            np.savez(opened, **{sample.metric: sample.items for sample in samples})

    def paired(self) -> Iterator[Result]:
        """Yield what is learned minus the best of what is not, of as many bytes, for every metric."""
        for place in sorted((self.out / "items" / self.name.replace("/", "_")).iterdir()):
            seeds: dict[tuple[str, ...], list[list[Scores]]] = defaultdict(list)
            for file in sorted(place.glob("*.npz")):
                reducer, width, codec = file.stem.rsplit(" ", 1)[0].split(" ", 2)
                with np.load(file) as items:
                    seeds[reducer, width, codec].append([Scores(self.name, name, items[name]) for name in items])
            systems = [
                Measurement(
                    reducer,
                    int(width),
                    0,
                    _mean(samples),
                    codec=codec,
                    bytes_per_vector=int(place.name),
                    role=role_of(reducer),
                )
                for (reducer, width, codec), samples in seeds.items()
            ]
            baselines = [replace(one, reducer=_said(one)) for one in systems if one.role != "subject"]
            trained = [replace(one, baselines=baselines) for one in systems if one.role == "subject"]
            yield from (row for row in result_rows(trained, self.encoder.identity) if row.baseline)


def role_of(reducer: str) -> str:
    """Return the role of a reducer by its kind."""
    return ROLES.get(reducer, "baseline")


def _mean(seeds: list[list[Scores]]) -> list[Scores]:
    return [
        same[0]._replace(items=np.mean([sample.items for sample in same], axis=0)) for same in zip(*seeds, strict=True)
    ]


def _said(system: Measurement) -> str:
    return system.codec if system.role == "reference" else f"{system.reducer}, {system.codec}"


def main() -> None:
    """Measure all sets and write the report."""
    parser = bench_parser(__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("sets", nargs="+")
    parser.add_argument("--bytes", type=int, nargs="+", default=BYTES)
    parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=list(METHODS))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--teacher", help="a sentence-transformers model; MiniLM where not given")
    parser.add_argument("--every-other", action="store_true")
    args = parser.parse_args()
    for path in args.sets:
        bench = Bench(path, args)
        d = bench.teacher.dimension
        bench.add(Subject("teacher", d, 0, "float32", lambda bench=bench: Coded(bench.teacher, Cast())), 4 * d)
        for size, method in (bar := tqdm(list(product(args.bytes, args.methods)), desc=bench.name)):
            for subject in bench.subjects(METHODS[method], size, args.seeds):
                bar.set_postfix_str(f"{method}, {size} bytes, seed {subject.seed}")
                bench.add(subject, size)
        append_results(args.out / "results.jsonl", bench.paired())
    write_report(read_results(args.out / "results.jsonl"), {}, args.out / "report")


if __name__ == "__main__":
    main()
