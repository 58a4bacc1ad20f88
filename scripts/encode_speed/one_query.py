"""Time one query at a time: p50 and p95 of exports, of their bare sessions, and of stock sentence-transformers.

    python scripts/encode_speed/one_query.py FOLDER... [--calls 300] [--threads 1 2]

FOLDER is what `projhead export` wrote: ONNX, OpenVINO or sentence-transformers. Each round goes through all of them in
turn, so that what else the machine does meets all alike. Prints a Markdown table; *overhead* is what `encode` takes
besides its session, over what the session takes inside of that same call: median over calls. Where others use the
machine, *processor ms* say more than the clock.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from sentence_transformers import SentenceTransformer
from tabulate import tabulate

from projhead import load_encoder
from projhead.encoders.graph import GraphEncoder, Tokens

sys.path.append(str(Path(__file__).parents[1]))  # where bench is
from bench import in_turns, machine, median, parser, timed

_QUERY = "how to read a file in chunks without loading all of it into memory"


def calls_of(folder: str, threads: int) -> tuple[dict[str, Callable[[], object]], list[float]]:
    """Return what is timed of a folder, and where its sessions' own milliseconds come while `encode` runs."""
    inside: list[float] = []
    if any(Path(folder).glob("*.safetensors")):
        model = SentenceTransformer(folder, device="cpu")
        return {"stock encode": partial(model.encode, [_QUERY], show_progress_bar=False)}, inside
    encoder = load_encoder(folder, threads=threads)
    assert isinstance(encoder, GraphEncoder)
    run, feed = encoder._run, encoder._padded([encoder._tokenizer.encode(_QUERY).ids])

    def watched(feed: dict[str, Tokens]) -> NDArray[np.float32]:
        rows, took = timed(lambda: run(feed))
        inside.append(1e3 * took.wall)
        return rows

    encoder._run = watched  # type: ignore[method-assign]
    return {"encode": partial(encoder.encode, [_QUERY]), "session": partial(run, feed)}, inside


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
        calls = {f"{folder}|{name}": call for folder, (one, _) in made.items() for name, call in one.items()}
        times, _ = in_turns(calls, args.calls, warm=20)
        for folder, (one, inside) in made.items():
            for name in one:
                found = np.array([1e3 * took.wall for took in times[f"{folder}|{name}"]])
                own = np.array(inside[-args.calls :])
                over = f"{np.median((found - own) / own):.1%}" if name == "encode" else ""
                processor = 1e3 * median(times[f"{folder}|{name}"]).processor
                rows.append([folder, threads, name, *np.percentile(found, [50, 95]), processor, over])
    print(f"{args.calls} calls, {machine()}\n")
    columns = ["folder", "threads", "call", "p50 ms", "p95 ms", "processor ms", "overhead"]
    print(tabulate(rows, columns, "github", floatfmt=".2f"))


if __name__ == "__main__":
    main()
