"""Heads against PCA on retrieval sets of your own, trained on each set's documents alone.

    python scripts/in_domain.py OUT SET... [--widths 32 64 128] [--seeds 0 1 2] [--override queries=none ...]

SET is a folder in the BEIR layout or its name on the hub. Test queries and judgements are never seen in training:
nine tenths of the documents are, and sentences of them as pseudo-queries. Ends with OUT/report.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path


def projhead(*words: str) -> None:
    """Run one verb, as typed."""
    print("$ projhead", *words, flush=True)
    subprocess.run([sys.executable, "-m", "projhead.cli", *words], check=True)


def main() -> None:
    """Train and evaluate at every width and seed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("sets", nargs="+")
    parser.add_argument("--widths", type=int, nargs="+", default=[32, 64, 128])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--override", nargs="*", default=[], help="for train, such as queries=none")
    args = parser.parse_args()
    for one in args.sets:
        folder = args.out / Path(one).name
        runs = [(width, seed) for width in args.widths for seed in args.seeds]
        for width, seed in runs:
            # The same pseudo-queries for every seed: they are encoded once.
            projhead(
                "train", "corpus=beir", f"corpus.path={one}", f"n_components={width}", f"seed={seed}",
                "queries.seed=0", f"run_dir={folder}/{width}-{seed}", *args.override,
            )  # fmt: skip
        artifacts = ",".join(f"{folder}/{width}-{seed}/artifact" for width, seed in runs)
        projhead(
            "evaluate", f"artifact=[{artifacts}]", "task=retrieval", f"task.retrieval.path={one}",
            f"run_dir={folder}/evaluate",
        )  # fmt: skip
    results = ",".join(f"{args.out}/{Path(one).name}/evaluate" for one in args.sets)
    projhead("report", f"results=[{results}]", f"path={args.out}/report")


if __name__ == "__main__":
    main()
