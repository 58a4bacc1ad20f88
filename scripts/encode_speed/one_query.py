"""Time one query at a time: p50 and p95 of exports, of their bare sessions, and of stock sentence-transformers.

    python scripts/encode_speed/one_query.py FOLDER... [--calls 300] [--threads 1 2]

FOLDER is what `projhead export` wrote: ONNX, OpenVINO or sentence-transformers. Each round goes through all of them in
turn, so that what else the machine does meets all alike. Prints a Markdown table; *overhead* is what `encode` takes
over its session.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
from sentence_transformers import SentenceTransformer
from tabulate import tabulate

from projhead import load_encoder
from projhead.encoders.graph import GraphEncoder

sys.path.append(str(Path(__file__).parents[1]))  # where bench is
from bench import in_turns, machine, parser

_QUERY = "how to read a file in chunks without loading all of it into memory"


def calls_of(folder: str, threads: int) -> dict[str, Callable[[], object]]:
    """Return what is timed of a folder."""
    if not any(Path(folder).glob("*.safetensors")):
        encoder = load_encoder(folder, threads=threads)
        assert isinstance(encoder, GraphEncoder)
        feed = encoder._padded([encoder._tokenizer.encode(_QUERY).ids])
        return {"encode": partial(encoder.encode, [_QUERY]), "session": partial(encoder._run, feed)}
    model = SentenceTransformer(folder, device="cpu")
    return {"stock encode": partial(model.encode, [_QUERY], show_progress_bar=False)}


def main() -> None:
    given = parser(__doc__)
    given.add_argument("folders", nargs="+", metavar="FOLDER")
    given.add_argument("--calls", type=int, default=300)
    given.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    args = given.parse_args()
    rows = []
    for threads in args.threads:
        torch.set_num_threads(threads)
        made = {folder: calls_of(folder, threads) for folder in args.folders}
        calls = {f"{folder}|{name}": call for folder, one in made.items() for name, call in one.items()}
        times, _ = in_turns(calls, args.calls, warm=20)
        found = {name: np.array([1e3 * took.wall for took in each]) for name, each in times.items()}
        for folder, one in made.items():
            for name in one:
                p50, p95 = np.percentile(found[f"{folder}|{name}"], [50, 95])
                bare = np.median(found[f"{folder}|session"]) if name == "encode" else np.nan
                rows.append([folder, threads, name, p50, p95, "" if np.isnan(bare) else f"{p50 / bare - 1:+.1%}"])
    print(f"{args.calls} calls, {machine()}\n")
    print(tabulate(rows, ["folder", "threads", "call", "p50 ms", "p95 ms", "overhead"], "github", floatfmt=".2f"))


if __name__ == "__main__":
    main()
