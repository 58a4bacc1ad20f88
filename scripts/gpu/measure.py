"""Texts a second of every way to run a student on a GPU, beside stock sentence-transformers and other servers.

    python scripts/gpu/measure.py FOLDER [--texts FILE] [--n 20000] [--rounds 3] [--device cuda]

FOLDER is what `scripts/gpu/run.sh` made. Rounds go through all ways in turn, the median counts. A server of
text-embeddings-inference is measured where TEI_URL names one that holds FOLDER/student, such as http://localhost:8080.
Appends result rows to FOLDER/results.jsonl; what cannot be measured goes to FOLDER/left_out.txt with its reason. With
``--device cpu`` the same ways run without a GPU, to try the script.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.request import Request, urlopen

import numpy as np
import torch
from sentence_transformers import SentenceTransformer
from tabulate import tabulate
from tqdm import tqdm

from projhead import load_encoder
from projhead.corpora.docstrings import Docstrings
from projhead.corpora.files import TextFiles
from projhead.report.results import Result, append_results
from projhead.vectors import Vectors, unit_rows

sys.path.append(str(Path(__file__).parents[1]))  # where bench is
from bench import in_turns, machine, median
from bench import parser as bench_parser

Way = Callable[[list[str]], Vectors]
_BATCH = 32  # texts of a request, and of stock batches


def stock(folder: Path, device: str, dtype: str) -> Way:
    model = SentenceTransformer(str(folder), device=device, model_kwargs={"dtype": dtype})
    return lambda texts: model.encode_document(texts, batch_size=_BATCH, normalize_embeddings=True)


def ours(folder: Path, **options: str) -> Way:
    return load_encoder(folder, **options).encode_document


def served(url: str) -> Way:
    def asked(texts: list[str]) -> list[list[float]]:
        body = json.dumps({"inputs": texts, "truncate": True}).encode()
        with urlopen(Request(f"{url}/embed", body, {"Content-Type": "application/json"})) as answer:
            return json.load(answer)

    def encode(texts: list[str]) -> Vectors:
        parts = [texts[start : start + _BATCH] for start in range(0, len(texts), _BATCH)]
        with ThreadPoolExecutor(16) as pool:
            return unit_rows(np.concatenate([np.array(part) for part in pool.map(asked, parts)]))

    return encode


def ways(folder: Path, device: str) -> dict[str, Callable[[], Way]]:
    """Return how each way is loaded."""
    student, found = folder / "student", {}
    for dtype in ("float32", "float16"):
        found[f"stock {dtype}"] = lambda dtype=dtype: stock(student, device, dtype)
        found[f"projhead {dtype}"] = lambda dtype=dtype: ours(student, device=device, compute_dtype=dtype)
        found[f"onnx {dtype}"] = lambda dtype=dtype: ours(folder / f"onnx_{dtype}", device=device)
    flash = {"compute_dtype": "float16", "attention": "flash_attention_2"}
    found["projhead float16, unpadded"] = lambda: ours(student, device=device, **flash)
    found["tensorrt"] = lambda: ours(folder / "onnx_float32", device="tensorrt")
    found["tensorrt float16"] = lambda: ours(folder / "onnx_float16", device="tensorrt_fp16")
    if url := os.environ.get("TEI_URL"):
        found["text-embeddings-inference"] = lambda: served(url)
    return found


def main() -> None:
    parser = bench_parser(__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--texts")
    parser.add_argument("--n", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--device", default="cuda")
    args = parser.parse_args()
    corpus = Docstrings() if args.texts is None else TextFiles(args.texts)
    texts = [document.text for document in corpus.documents("all")][: args.n]
    loaded: dict[str, Way] = {}
    left_out = {} if os.environ.get("TEI_URL") else {"text-embeddings-inference": "TEI_URL names no server"}
    for name, load in tqdm(ways(args.folder, args.device).items(), desc="load"):
        try:
            way = load()
            way(texts[:_BATCH])
            loaded[name] = way
        except Exception as error:  # whatever a machine lacks: it is told, and the others are measured
            left_out[name] = f"{type(error).__name__}: {error}".splitlines()[0][:300]
    lines = [f"{name}: {reason}\n" for name, reason in left_out.items()]
    (args.folder / "left_out.txt").write_text("".join(lines))
    times, rows = in_turns({name: lambda way=way: way(texts) for name, way in loaded.items()}, args.rounds, warm=1)
    reference = next(iter(rows.values()))
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else "no GPU"
    table, results = [], []
    for name, took in times.items():
        rate, cosine = len(texts) / median(took).wall, float((rows[name] * reference).sum(1).min())
        table.append([name, rate, cosine])
        for metric, value in (("texts_per_second", rate), ("min_cosine", min(cosine, 1.0))):
            results.append(
                Result(
                    task=f"export/{name}", metric=metric, value=value, low=value, high=value, reducer="learned",
                    n_components=reference.shape[1], n=len(texts), encoder="all-MiniLM-L6-v2", fingerprint="",
                    command=f"scripts/gpu/run.sh on {gpu}",
                )
            )  # fmt: skip
    append_results(args.folder / "results.jsonl", results)
    print(f"\n{len(texts):,} texts, {gpu}, {machine()}; least cosine to {next(iter(rows))}\n")
    print(tabulate(table, ["way", "texts/s", "least cosine"], tablefmt="github", floatfmt=",.4g"))
    print("".join(["\nleft out\n", *lines]) if lines else "")


if __name__ == "__main__":
    main()
