"""Change random bytes of saved indexes and count what becomes of it: 10,000 changes, none may alter an answer.

    python scripts/index_faults.py [--flips 10000] [--rows 500] [--kinds exact faiss rescore ...]

Every file of every kind is hit, the small ones as often as the large. A change is refused, or the answers are the very
same (a blank of the record for another). Prints a Markdown table; the exit status is 1 where an answer changed.
"""

from __future__ import annotations

import argparse
import tempfile
from collections import Counter
from pathlib import Path

import numpy as np
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from tabulate import tabulate
from tqdm import tqdm

from projhead.indexes.base import BaseIndex, load_index
from projhead.settings.options import conf_dir
from projhead.vectors import Vectors, unit_rows

KINDS = ["exact", "faiss", "faiss_binary", "rescore", "annoy", "milvus"]


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--flips", type=int, default=10_000)
    parser.add_argument("--rows", type=int, default=500)
    parser.add_argument("--kinds", nargs="+", default=KINDS, help="names in conf/index")
    return parser.parse_args()


def flipped(path: Path, flips: int, queries: Vectors, generator: np.random.Generator) -> Counter[str]:
    """Change one byte at a time, and put it back."""
    expected, found = load_index(path).search(queries, 5), Counter[str]()
    files = sorted(file for file in path.rglob("*") if file.is_file() and file.stat().st_size)
    for turn in tqdm(range(flips), desc=path.name, unit="flip"):
        file = files[turn % len(files)]
        whole = file.read_bytes()
        position, change = int(generator.integers(len(whole))), int(generator.integers(1, 256))
        file.write_bytes(whole[:position] + bytes([whole[position] ^ change]) + whole[position + 1 :])
        try:
            same = all(map(np.array_equal, load_index(path).search(queries, 5), expected))
            found["same answers" if same else "OTHER ANSWERS"] += 1
        except ValueError:
            found["refused"] += 1
        file.write_bytes(whole)
    return found


def main() -> None:
    args = arguments()
    generator = np.random.default_rng(0)
    rows, table = unit_rows(generator.normal(size=(args.rows, 32))), []
    with tempfile.TemporaryDirectory() as top, initialize_config_dir(str(conf_dir()), version_base="1.3"):
        for kind in args.kinds:
            index: BaseIndex = instantiate(compose("index", [f"index={kind}"]).index)
            index.build(rows, ids=np.arange(len(rows)) * 3).save(Path(top) / kind)
            found = flipped(Path(top) / kind, args.flips // len(args.kinds), rows[:20], generator)
            table.append(
                [kind, sum(found.values()), *(found[name] for name in ("refused", "same answers", "OTHER ANSWERS"))]
            )
    print(tabulate(table, ["index", "bytes changed", "refused", "same answers", "OTHER ANSWERS"], tablefmt="github"))
    raise SystemExit(any(row[-1] for row in table))


if __name__ == "__main__":
    main()
