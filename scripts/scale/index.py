"""What an index with lists in a file costs as the rows grow: processor time, memory and bytes on disk.

    python scripts/scale/index.py [--rows 100000 1000000] [--width 384] [--factory IVF1024,Flat] [--in-memory]

Rows are float16 in a file, made up (clusters on a falling spectrum: values do not change the work). Each size has a
process of its own, of one thread, that writes a store and builds, saves, opens and asks the index; 1,000 queries visit
16 lists. Memory is what the process holds itself at the most, beyond what it held once the store was written; pages of
files that the system may drop at any time do not count. `--in-memory` builds the same index in memory beside it. Needs
some 10 x rows x width bytes in `--folder`. Prints a Markdown table.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Any

import faiss
import torch
from tabulate import tabulate

from projhead import embed
from projhead.encoders.precomputed import Precomputed
from projhead.indexes.base import BaseIndex, load_index
from projhead.indexes.faiss import FaissIndex
from projhead.indexes.faiss_on_disk import FaissOnDiskIndex

sys.path.append(str(Path(__file__).parents[1]))  # where bench is
from fit import write_rows
from memory import peak

from bench import apart, machine, parser, resident


def measure(file: Path, folder: Path, kind: type[FaissIndex], factory: str) -> dict[str, Any]:
    """Go the whole way in this process, which has done nothing else."""
    torch.set_num_threads(1)
    faiss.omp_set_num_threads(1)
    store = embed(Precomputed(str(file), similarity="cosine"), out=folder / "store", show_progress=False)
    before, index = resident("RssAnon"), kind(factory, nprobe=16)
    with peak(before) as built:
        index.build(store).save(folder / "index")
    del index
    with peak(before) as opened:
        loaded: BaseIndex = load_index(folder / "index")
    with peak(before) as asked:
        loaded.search(store.take(range(1000)), 10)
    size = sum(one.stat().st_size for one in (folder / "index").rglob("*") if one.is_file())
    row: dict[str, Any] = {"rows": len(store), "index": kind.__name__, "on disk, MB": size / 1e6}
    for name, took in (("build", built), ("open", opened), ("1,000 queries", asked)):
        row.update({f"{name}, s": took.seconds, f"{name}, MB": took.mb})
    return row


def arguments() -> argparse.Namespace:
    made = parser(__doc__)
    made.add_argument("--rows", type=int, nargs="+", default=[100_000, 1_000_000])
    made.add_argument("--width", type=int, default=384)
    made.add_argument("--factory", default="IVF1024,Flat")
    made.add_argument("--in-memory", action="store_true")
    made.add_argument("--folder", help="where files are written; a temporary one")
    return made.parse_args()


def main() -> None:
    args, table = arguments(), []
    for n in args.rows:
        for kind in (FaissOnDiskIndex, *([FaissIndex] if args.in_memory else [])):
            with tempfile.TemporaryDirectory(dir=args.folder) as temporary:
                write_rows(Path(temporary) / "rows.npy", n, args.width, seed=1)
                table.append(apart(measure, Path(temporary) / "rows.npy", Path(temporary), kind, args.factory))
            print(tabulate(table[-1:], "keys", tablefmt="github", floatfmt=",.1f", intfmt=","), flush=True)
    print(f"\n{args.factory}, {args.width} dimensions, one thread of {machine()}\n")
    print(tabulate(table, "keys", tablefmt="github", floatfmt=",.1f", intfmt=","))


if __name__ == "__main__":
    main()
