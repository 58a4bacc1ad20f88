"""What a fit costs: seconds, peak memory, and how much of a training step is its bare matrix products.

    python scripts/scale/fit.py [--rows 60000 1000000] [--width 768] [--n-components 128] [--queries 0] [--threads 2]

Rows are float16 in a memory-mapped file, made up (clusters on a falling spectrum: values do not change the work), each
size in a process of its own. Every few steps the matrix products of one step are recorded and done again bare, between
steps of the same fit, so that what else the machine does meets both. Prints a Markdown table.
"""

from __future__ import annotations

import argparse
import os
import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from tabulate import tabulate
from torch.utils._python_dispatch import TorchDispatchMode
from tqdm import tqdm

from projhead import LearnedReducer
from projhead.vectors import unit_rows

sys.path.append(str(Path(__file__).parents[1]))  # where bench is
from bench import apart, machine
from bench import parser as bench_parser

#: Where the second operand stands among the arguments.
PRODUCTS = {torch.ops.aten.mm.default: 2, torch.ops.aten.addmm.default: 3, torch.ops.aten.bmm.default: 2}
EVERY = 10


class Recorder(TorchDispatchMode):
    """Note the operands of every matrix product, forwards and backwards."""

    def __init__(self) -> None:
        super().__init__()
        self.operands: list[tuple[torch.Tensor, torch.Tensor]] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func in PRODUCTS:
            left, right = args[PRODUCTS[func] - 2 : PRODUCTS[func]]  # addmm's first is what it adds to
            self.operands.append((left.detach(), right.detach()))
        return func(*args, **(kwargs or {}))

    def seconds(self) -> float:
        """Do the products alone, into memory that is there already."""
        results = [left @ right for left, right in self.operands]
        started = time.perf_counter()
        for (left, right), result in zip(self.operands, results, strict=True):
            torch.matmul(left, right, out=result)
        return time.perf_counter() - started


class Clock(pl.Callback):
    """When each part of a fit began, how long steps took and their bare products."""

    def __init__(self) -> None:
        self.marks = {"fit": time.perf_counter()}
        self.steps: list[float] = []
        self.products: list[float] = []
        self.recorder: Recorder | None = None

    def trainer(self, max_steps: int | None = None, **given: Any) -> pl.Trainer:
        """Build the trainer of a fit without one, with this clock in it."""
        self.marks["trainer"] = time.perf_counter()
        quiet = {name: False for name in ("enable_progress_bar", "enable_model_summary")}
        return pl.Trainer(max_steps=max_steps or -1, devices=1, **quiet, **given)

    def setup(self, *_: Any, **__: Any) -> None:
        """Lightning calls it when its start is known."""
        self.marks["set up"] = time.perf_counter()

    def on_train_start(self, *_: Any) -> None:
        """Begin to count steps."""
        self.marks["training"] = self.last = time.perf_counter()

    def on_train_batch_start(self, trainer: pl.Trainer, module: Any, batch: Any, index: int) -> None:
        """Record every tenth step."""
        if trainer.global_step % EVERY == EVERY // 2:
            self.recorder = Recorder()
            self.recorder.__enter__()

    def on_train_batch_end(self, *_: Any) -> None:
        """Note how long the step took, from the end of the one before; or do its products again."""
        if self.recorder is None:
            self.steps.append(time.perf_counter() - self.last)
        else:
            self.recorder.__exit__(None, None, None)
            self.products.append(self.recorder.seconds())
            self.recorder = None
        self.last = time.perf_counter()

    def on_validation_end(self, *_: Any) -> None:
        """Leave validation out of the next step."""
        self.last = time.perf_counter()

    def on_train_end(self, *_: Any) -> None:
        """Stop."""
        self.marks["trained"] = time.perf_counter()


def arguments() -> argparse.Namespace:
    parser = bench_parser(__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=[60_000, 1_000_000])
    parser.add_argument("--width", type=int, default=768)
    parser.add_argument("--n-components", type=int, default=128)
    parser.add_argument("--queries", type=float, default=0.0, help="query rows for each row")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--folder", help="where the rows are written, 2 x rows x width bytes; a temporary one")
    return parser.parse_args()


def write_rows(path: Path, n: int, d: int, seed: int) -> None:
    """Write unit rows in clusters of about thirty."""
    generator = np.random.default_rng(seed)
    scale = np.geomspace(1, 0.1, d).astype(np.float32)
    centers = np.random.default_rng(0).normal(size=(max(n // 30, 1), d)).astype(np.float32) * scale
    rows = np.lib.format.open_memmap(path, "w+", np.float16, (n, d))
    for start in tqdm(range(0, n, 50_000), desc=f"write {n:,} rows", unit="block", disable=n < 200_000):
        part = slice(start, min(start + 50_000, n))
        noise = generator.standard_normal((part.stop - start, d), dtype=np.float32) * scale
        rows[part] = unit_rows(centers[generator.integers(len(centers), size=len(noise))] + noise)
    rows.flush()


def measure(path: Path, queries: Path | None, n_components: int, threads: int) -> dict[str, float]:
    """Fit with the defaults in this process, which has done nothing else."""
    torch.set_num_threads(threads)
    rows = np.load(path, mmap_mode="r")
    asked = None if queries is None else np.load(queries, mmap_mode="r")
    defaults, clock = LearnedReducer(n_components), Clock()
    defaults.set_params(trainer=clock.trainer, callbacks={"clock": clock}).fit(rows, queries=asked)
    ended, at = time.perf_counter(), clock.marks
    step, bare = float(np.median(clock.steps)), float(np.median(clock.products))
    extra = float(np.sum(clock.products))  # recording a step costs little, doing its products again is ours
    return {
        "rows": len(rows),
        "fit, s": ended - at["fit"] - extra,
        "start, s": at["trainer"] - at["fit"],
        "training, s": at["trained"] - at["training"] - extra,
        "steps": defaults.training_["steps"],
        "peak, GiB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
        "step, ms": 1e3 * step,
        "products, ms": 1e3 * bare,
        "share": bare / step,
    }


def main() -> None:
    args = arguments()
    os.environ["OMP_NUM_THREADS"] = str(args.threads)  # before the measuring process loads its libraries
    table = []
    for n in args.rows:
        with tempfile.TemporaryDirectory(dir=args.folder) as temporary:
            rows, queries = Path(temporary) / "rows.npy", Path(temporary) / "queries.npy"
            write_rows(rows, n, args.width, seed=1)
            if n_queries := round(args.queries * n):
                write_rows(queries, n_queries, args.width, seed=2)
            table.append(apart(measure, rows, queries if n_queries else None, args.n_components, args.threads))
    print(
        f"\n{args.width} -> {args.n_components}, {args.queries:g} queries a row, {args.threads} threads of "
        f"{machine()}; peak memory counts the pages "
        "of the file that are in memory\n"
    )
    print(tabulate(table, "keys", tablefmt="github", floatfmt=",.2f", intfmt=","))


if __name__ == "__main__":
    main()
