"""What grows with the rows: processor time and memory of a store, a head and every form of PCA.

    python scripts/scale/memory.py [--rows 10000 100000 1000000] [--width 384] [--n-components 64] [--folder /data]

Rows are float16 in a file, made up (clusters on a falling spectrum: values do not change the work). Each size has a
process of its own, of one thread, that does what `projhead encode` and `projhead train` do with vectors: a store of
shards is written, a head is fitted to the store, and so are all forms of PCA, which share one pass. Memory is what the
process holds itself at the most, beyond what its libraries take; pages of files that the system may drop at any time do
not count. Needs 4 x rows x width bytes in the folder. Prints a Markdown table.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from tabulate import tabulate

from projhead import LearnedReducer, embed, pca_forms
from projhead.encoders.precomputed import Precomputed
from projhead.reducers.spectrum import one_pass

sys.path.append(str(Path(__file__).parents[1]))  # where bench is
from fit import write_rows

from bench import apart, machine, parser, resident

#: Seconds between two looks at the memory.
_LOOK = 0.05


class Peak:
    """Megabytes that a block held at the most, beyond `before`, and seconds of the processor."""

    mb = seconds = 0.0


@contextmanager
def peak(before: float) -> Iterator[Peak]:
    """Look at this process's own memory while a block runs."""
    found, done, started = Peak(), threading.Event(), time.process_time()

    def look() -> None:
        while not done.wait(_LOOK):
            found.mb = max(found.mb, resident("RssAnon") - before)

    watcher = threading.Thread(target=look, daemon=True)
    watcher.start()
    try:
        yield found
    finally:
        done.set()
        watcher.join()
        found.seconds = time.process_time() - started


def measure(file: Path, folder: Path, k: int) -> dict[str, Any]:
    """Go the whole way in this process, which has done nothing else."""
    torch.set_num_threads(1)
    row: dict[str, Any] = {}

    def step(name: str, call: Callable[[], Any]) -> Any:
        with peak(before) as took:
            result = call()
        row.update({f"{name}, s": took.seconds, f"{name}, MB": took.mb})
        return result

    before = resident("RssAnon")
    vectors = Precomputed(str(file), similarity="cosine")
    store = step("store", lambda: embed(vectors, out=folder / "store", show_progress=False))
    with one_pass():
        head = step("head", lambda: LearnedReducer(k).fit(store))
        step("4 forms of PCA", lambda: [form.fit(store) for form in pca_forms(k)])
    return {"rows": len(store), "steps": head.training_["steps"], **row}


def arguments() -> argparse.Namespace:
    made = parser(__doc__)
    made.add_argument("--rows", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    made.add_argument("--width", type=int, default=384)
    made.add_argument("--n-components", type=int, default=64)
    made.add_argument("--folder", help="where files are written; a temporary one")
    return made.parse_args()


def main() -> None:
    args, table = arguments(), []
    for n in args.rows:
        with tempfile.TemporaryDirectory(dir=args.folder) as temporary:
            write_rows(Path(temporary) / "rows.npy", n, args.width, seed=1)
            table.append(apart(measure, Path(temporary) / "rows.npy", Path(temporary), args.n_components))
        print(tabulate(table[-1:], "keys", tablefmt="github", floatfmt=",.1f", intfmt=","), flush=True)
    print(f"\n{args.width} -> {args.n_components}, one thread of {machine()}\n")
    print(tabulate(table, "keys", tablefmt="github", floatfmt=",.1f", intfmt=","))


if __name__ == "__main__":
    main()
