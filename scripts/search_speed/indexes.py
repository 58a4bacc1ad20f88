"""Search a million vectors: queries a second, build time and memory, ours against stock FAISS in one run.

    python scripts/search_speed/indexes.py VECTORS [--n 1000000] [--factory IVF1024,PQ32np] [--rounds 5]

VECTORS is a .npy file of rows, or a store. Fewer rows than --n are repeated with noise, made unit length again: such
vectors cluster more than text does. Queries are other rows, never repeated. nprobe is doubled until recall@10 of the
exact search of the same codes reaches --recall; rounds go through both systems in turn, and the median counts.
Resident memory is that of a fresh process, before and after it loads the index. HNSW and Annoy are built on the first
--graph-rows rows; exact, FAISS Flat and Milvus are compared on the same codes of the first --same-rows. One thread.
Prints Markdown tables.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import faiss
import numpy as np
from tabulate import tabulate

from projhead.codecs.integer import Integer
from projhead.indexes.annoy import AnnoyIndex
from projhead.indexes.base import BaseIndex
from projhead.indexes.exact import ExactIndex
from projhead.indexes.faiss import FaissIndex
from projhead.indexes.milvus import MilvusIndex
from projhead.indexes.rows import ArrayRows, sample
from projhead.store.store import EmbeddingStore
from projhead.vectors import Vectors, unit_rows

sys.path.append(str(Path(__file__).parents[1]))  # where bench is
from lists import BLOCK, grown

from bench import in_turns, machine, timed
from bench import parser as bench_parser

LOADED = """
import sys
import numpy as np
from projhead.indexes.base import load_index
from projhead.indexes.faiss import FaissIndex
def resident():
    return int(open("/proc/self/statm").read().split()[1]) * 4096
rows = np.random.default_rng(0).normal(size=(100, int(sys.argv[2])))
FaissIndex().build(rows).search(rows, 10)
before = resident()
index = load_index(sys.argv[1])
index.search(rows[:1], 10)
print(resident() - before)
"""


def arguments() -> argparse.Namespace:
    parser = bench_parser(__doc__)
    parser.add_argument("vectors", type=Path)
    parser.add_argument("--n", type=int, default=1_000_000)
    parser.add_argument("--factory", default="IVF1024,PQ32np")
    parser.add_argument("--recall", type=float, default=0.9)
    parser.add_argument("--noise", type=float, default=0.3, help="length of the noise on repeated rows")
    parser.add_argument("--queries", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--graph-rows", type=int, default=50_000)
    parser.add_argument("--same-rows", type=int, default=20_000)
    return parser.parse_args()


def rows_of(args: argparse.Namespace) -> tuple[Vectors, Vectors, int]:
    """Return rows, queries, and how many rows are not repeated."""
    path = args.vectors
    given = unit_rows(EmbeddingStore.open(path).rows if path.is_dir() else np.load(path))
    generator = np.random.default_rng(0)
    given = given[generator.permutation(len(given))]
    queries, own = given[: args.queries], given[args.queries :][: args.n]
    rows = np.empty((args.n, given.shape[1]), np.float32)
    for number, block in enumerate(grown(own, args.n, args.noise)):
        rows[number * BLOCK :][: len(block)] = block
    return rows, queries, len(own)


def recall(found: Any, truth: Any) -> float:
    return float(np.mean([len(set(a) & set(b)) / len(b) for a, b in zip(found, truth, strict=True)]))


def stock_index(factory: str, rows: Vectors) -> Any:
    """Build with FAISS alone, trained on the rows that ours is trained on."""
    index = faiss.index_factory(rows.shape[1], factory, faiss.METRIC_INNER_PRODUCT)
    index.train(sample(ArrayRows(rows), 262_144))
    index.add(rows)
    return index


def speed(args: argparse.Namespace, rows: Vectors, queries: Vectors, folder: Path) -> str:
    """Compare with stock FAISS on one factory string."""
    ours, built = timed(lambda: FaissIndex(args.factory).build(rows))
    stock, stock_built = timed(lambda: stock_index(args.factory, rows))
    lists = faiss.extract_index_ivf(stock)
    lists.nprobe = lists.nlist
    truth, nprobe = stock.search(queries, 10)[1], 1
    while (lists.__setattr__("nprobe", nprobe), recall(stock.search(queries, 10)[1], truth))[1] < args.recall:
        nprobe *= 2
    ours.nprobe = nprobe
    faiss.extract_index_ivf(ours.index).nprobe = nprobe
    systems = {"projhead": lambda: ours.search(queries, 10), "stock FAISS": lambda: stock.search(queries, 10)}
    times, found = in_turns(systems, args.rounds)
    seconds = {name: [took.wall for took in each] for name, each in times.items()}
    ratios = np.array(seconds["stock FAISS"]) / np.array(seconds["projhead"])
    ours.save(folder / "index")
    measured = resident(folder / "index", rows.shape[1])
    estimated = FaissIndex(args.factory).footprint(len(rows), rows.shape[1]).memory
    table = [
        [
            name,
            f"{len(queries) / np.median(seconds[name]):,.0f}",
            f"{recall(found[name][1], truth):.3f}",
            f"{took.wall:.0f}",
        ]
        for name, took in (("projhead", built), ("stock FAISS", stock_built))
    ]
    same = (found["projhead"][1] == found["stock FAISS"][1]).mean()
    return (
        tabulate(table, [args.factory, "queries/s", "recall@10 of the same codes", "build, s"], tablefmt="github")
        + f"\n\nnprobe {nprobe}; projhead's speed over stock's {np.median(ratios):.3f} "
        f"[{ratios.min():.3f}, {ratios.max():.3f}] over {args.rounds} rounds; {same:.2%} of answers the same.\n"
        f"Memory: estimated {estimated / 1e6:.1f} MB, held {measured / 1e6:.1f} MB ({estimated / measured - 1:+.1%})."
    )


def resident(path: Path, width: int) -> int:
    """Return what loading an index adds to a fresh process, in bytes."""
    done = subprocess.run(
        [sys.executable, "-c", LOADED, str(path), str(width)], capture_output=True, text=True, check=True
    )
    return int(done.stdout)


def graphs(rows: Vectors, queries: Vectors) -> str:
    """Compare HNSW and Annoy with the exact answers."""
    exact, _ = timed(lambda: ExactIndex().build(rows))
    (_, truth), took = timed(lambda: exact.search(queries, 10))
    table = [["exact", f"{len(queries) / took.wall:,.0f}", "1.000", ""]]
    kinds: dict[str, Callable[[], BaseIndex]] = {
        "HNSW32, ef_search 16": lambda: FaissIndex("HNSW32", ef_search=16),
        "HNSW32, ef_search 64": lambda: FaissIndex("HNSW32", ef_search=64),
        "Annoy, 50 trees": AnnoyIndex,
        "Annoy, 50 trees, search_k 20,000": lambda: AnnoyIndex(search_k=20_000),
    }
    for name, make in kinds.items():
        index, built = timed(lambda make=make: make().build(rows))  # type: ignore[misc]
        (_, found), took = timed(lambda index=index: index.search(queries, 10))  # type: ignore[misc]
        table.append([name, f"{len(queries) / took.wall:,.0f}", f"{recall(found, truth):.3f}", f"{built.wall:.0f}"])
    return str(
        tabulate(
            table,
            [f"{len(rows):,} rows", "queries/s", "recall@10", "build, s"],
            tablefmt="github",
            disable_numparse=True,
        )
    )


def same_answers(rows: Vectors, queries: Vectors) -> str:
    """Ask exact, FAISS and Milvus for the same codes; ranks may differ where scores are level."""
    codec = Integer(8).fit(rows)
    decoded = codec.decode(codec.encode(rows))
    answers = {
        "exact": ExactIndex(codec).build(rows).search(queries, 10),
        "FAISS Flat": FaissIndex().build(decoded).search(queries, 10),
        "Milvus": MilvusIndex().build(decoded).search(queries, 10),
    }
    scores = queries.astype(np.float64) @ decoded.T.astype(np.float64)
    best = -np.sort(-scores, axis=1)[:, :10]
    off = {name: np.abs(np.take_along_axis(scores, found, 1) - best).max() for name, (_, found) in answers.items()}
    return (
        f"Same int8 codes, {len(rows):,} rows, {len(queries)} queries: the true score of each answer is off by at most "
        + ", ".join(f"{value:.1e} ({name})" for name, value in off.items())
    )


def main() -> None:
    args = arguments()
    faiss.omp_set_num_threads(1)
    rows, queries, own = rows_of(args)
    print(
        f"{len(rows):,} vectors of {rows.shape[1]} dimensions, {own:,} of text, the others those repeated with noise "
        f"of length {args.noise}; {len(queries)} queries at once, one thread of "
        f"{machine()}\n"
    )
    print(same_answers(rows[: args.same_rows], queries) + "\n", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        print(speed(args, rows, queries, Path(folder)) + "\n", flush=True)
    print(graphs(rows[: args.graph_rows], queries))


if __name__ == "__main__":
    main()
