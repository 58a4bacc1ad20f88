"""Time one query at a time: p50 and p95 of exports, of their bare sessions, and of stock sentence-transformers.

    python scripts/query_speed.py FOLDER... [calls=300] [threads=1,2]

FOLDER is what `projhead export` wrote: ONNX, OpenVINO or sentence-transformers. Each round goes through all of them in
turn, so that what else the machine does meets all alike. Prints a Markdown table; *overhead* is what `encode` takes
over its session.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
from sentence_transformers import SentenceTransformer
from tabulate import tabulate

from projhead import load_encoder
from projhead.encoders.graph import GraphEncoder

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


def times(calls: dict[str, Callable[[], object]], rounds: int) -> dict[str, np.ndarray]:
    """Return the milliseconds of each call in each round."""
    found: dict[str, list[float]] = {name: [] for name in calls}
    for number in range(rounds + 20):
        for name, call in calls.items():
            started = time.perf_counter()
            call()
            if number >= 20:
                found[name].append(1e3 * (time.perf_counter() - started))
    return {name: np.array(one) for name, one in found.items()}


def main() -> None:
    """Time what was given and print the table."""
    folders = [one for one in sys.argv[1:] if "=" not in one]
    given = dict(one.split("=", 1) for one in sys.argv[1:] if "=" in one)
    rows = []
    for threads in map(int, given.get("threads", "1,2").split(",")):
        torch.set_num_threads(threads)
        made = {folder: calls_of(folder, threads) for folder in folders}
        calls = {f"{folder}|{name}": call for folder, one in made.items() for name, call in one.items()}
        found = times(calls, int(given.get("calls", "300")))
        for folder, one in made.items():
            for name in one:
                p50, p95 = np.percentile(found[f"{folder}|{name}"], [50, 95])
                bare = np.median(found[f"{folder}|session"]) if name == "encode" else np.nan
                rows.append([folder, threads, name, p50, p95, "" if np.isnan(bare) else f"{p50 / bare - 1:+.1%}"])
    print(tabulate(rows, ["folder", "threads", "call", "p50 ms", "p95 ms", "overhead"], "github", floatfmt=".2f"))


if __name__ == "__main__":
    main()
