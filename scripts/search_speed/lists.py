"""Codes of a head's rows in inverted lists, as the rows grow: what is lost by visiting a part of them.

    python scripts/search_speed/lists.py VECTORS [--rows 10000 100000 1000000] [--bytes 32] [--visited 0.1 0.03 0.01]
                                         [--fit 55000] [--queries 2000] [--seeds 0 1 2]

VECTORS are a teacher's vectors (.npy, .safetensors, .parquet). A head to four dimensions a byte and its product
quantizer are fitted to the first of the rows; all are coded, put into lists as they are (``index=ivf``, as many lists
as the root of the rows), and asked by rows that no fit has seen. Fewer rows than asked for are repeated with noise,
made unit length again. Overlap is with the teacher's 10 nearest, at full width; a part of the lists is paired with all
of them. Prints what share of the codes is compared, and the seconds of all queries at once. Appends rows to
docs/results/lists.jsonl.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import faiss
import numpy as np
from numpy.typing import NDArray
from tabulate import tabulate

from projhead import LearnedReducer
from projhead.codecs.pq import ProductQuantizer
from projhead.data import Scores
from projhead.encoders.precomputed import Precomputed
from projhead.evaluation.measurements import Measurement, result_rows
from projhead.indexes.faiss import inmost
from projhead.indexes.ivf import IvfIndex
from projhead.indexes.rows import ArrayRows
from projhead.vectors import Vectors, exact_top_k, unit_rows

sys.path.extend(str(Path(__file__).parents[1] / name) for name in ("", "quality"))  # where bench is, and the harness
from harness import RANKS, parsed, parser, write

from bench import machine, timed

#: Rows made at once.
BLOCK = 50_000


class Blocks(ArrayRows):
    """Rows in a file, of which a block is in memory."""

    def blocks(self) -> Iterator[NDArray[np.float16]]:
        """Yield all rows."""
        yield from np.array_split(self.array, -(-len(self) // BLOCK))


def grown(rows: NDArray[np.floating], n: int, noise: float) -> Iterator[Vectors]:
    """Yield n unit rows by blocks, those that are there first; more are the same with noise of a length."""
    generator = np.random.default_rng(0)
    for start in range(0, n, BLOCK):
        numbers = np.arange(start, min(start + BLOCK, n))
        block = unit_rows(rows[numbers % len(rows)])
        far = generator.standard_normal(block.shape, dtype=np.float32) * (noise / block.shape[1] ** 0.5)
        yield unit_rows(np.where((numbers >= len(rows))[:, None], block + far, block))


def reduced(
    head: LearnedReducer, rows: NDArray[np.floating], n: int, noise: float, asked: Vectors, file: Path
) -> tuple[Blocks, NDArray[np.int64]]:
    """Return n rows that a head makes, in a file, and the numbers of the teacher's nearest to what is asked."""
    made = np.lib.format.open_memmap(file, "w+", np.float16, (n, head.n_components))
    scores, numbers, start = np.empty((len(asked), 0), np.float32), np.empty((len(asked), 0), np.int64), 0
    for block in grown(rows, n, noise):
        made[start : start + len(block)] = head.transform(block)
        near, found = exact_top_k(asked, block, RANKS)
        scores, numbers = np.hstack([scores, near]), np.hstack([numbers, found + start])
        best = np.argsort(-scores, axis=1, kind="stable")[:, :RANKS]
        scores, numbers = np.take_along_axis(scores, best, 1), np.take_along_axis(numbers, best, 1)
        start += len(block)
    return Blocks(made), numbers


class Visit(NamedTuple):
    """A search of some of the lists: what share of the codes it compares, what it finds, and its seconds."""

    name: str
    compared: float
    overlap: NDArray[np.float64]
    seconds: float


def visits(index: IvfIndex, queries: Vectors, true: NDArray[np.int64], shares: list[float]) -> Iterator[Visit]:
    """Yield searches of all lists, and of shares of them."""
    lists = inmost(index.index)
    for share in (1.0, *shares):
        lists.nprobe = max(round(share * lists.nlist), 1)
        faiss.cvar.indexIVF_stats.reset()
        (_, found), took = timed(lambda: index.search(queries, RANKS))
        compared = faiss.cvar.indexIVF_stats.ndis / (len(queries) * lists.ntotal)
        shared = (found[:, :, None] == true[:, None, :]).any(1).mean(1)
        yield Visit("all codes" if share == 1 else f"{share:.0%} of the lists", compared, shared, took.wall)


def main() -> None:
    made = parser(__doc__, "lists.jsonl")
    made.add_argument("vectors", type=Path)
    made.add_argument("--rows", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    made.add_argument("--bytes", type=int, default=32)
    made.add_argument("--visited", type=float, nargs="+", default=[0.1, 0.03, 0.01])
    made.add_argument("--fit", type=int, default=55_000, help="rows that the head and its codec are fitted to")
    made.add_argument("--queries", type=int, default=2000)
    made.add_argument("--noise", type=float, default=0.3, help="length of the noise on repeated rows")
    args = parsed(made)
    faiss.omp_set_num_threads(args.threads)
    given = Precomputed(str(args.vectors))
    table = []
    for seed in args.seeds:
        order = np.random.default_rng(seed).permutation(len(given.rows))
        asked, rows = unit_rows(given.rows[order[: args.queries]]), given.rows[order[args.queries :]]
        head = LearnedReducer(4 * args.bytes, codec=ProductQuantizer(args.bytes), random_state=seed)
        head.fit(rows[: args.fit])
        for n in args.rows:
            with tempfile.TemporaryDirectory() as folder:
                coded, true = reduced(head, rows, n, args.noise, asked, Path(folder) / "rows.npy")
                index = IvfIndex(head.codec_).build(coded)
            measured: list[Measurement] = []
            for one in visits(index, head.transform(asked), true, args.visited):
                all_codes, scores = measured[:1], [Scores(f"{n:,} rows", "overlap@10", one.overlap)]
                role, codec = "subject" if all_codes else "baseline", head.codec_.name
                found = Measurement(one.name, head.n_components, seed, scores, all_codes, codec, args.bytes, role)
                measured.append(found)
                table.append([f"{n:,}", seed, one.name, f"{one.compared:.1%}", one.overlap.mean(), one.seconds])
                print(*table[-1], flush=True)
            write(args.out, result_rows(measured, given.identity))
    headers = ["rows", "seed", "visited", "codes compared", "overlap@10", "seconds"]
    print(f"\n{tabulate(table, headers, tablefmt='github', floatfmt='.3f')}\n\n{args.threads} threads of {machine()}")


if __name__ == "__main__":
    main()
