"""How fast each export of one artifact encodes, against stock sentence-transformers: one run, one machine, same texts.

    python scripts/encode_speed.py ARTIFACT [--texts FILE] [--n 2000] [--kinds onnx_int8 openvino ...] [--rounds 3]
    python scripts/encode_speed.py ARTIFACT --folders students/layers students/static --results results.jsonl
    python scripts/encode_speed.py --mpnet        an mpnet-base of random weights, 768 -> 128: speed alone

Without a file the texts are docstrings of installed packages, up to --max-words long. Other texts than those measured
calibrate int8. Rounds go through all systems in turn, so that what else the machine does meets each; the median
counts. Where other work shares the machine, texts per second of processor time say more than those per second.
Cosines are to stock sentence-transformers in float32. "Of the limit" compares processor time with that of nothing but
the model's matrix products in int8, over the same tokens unpadded. Latency is of one text at a time. Prints a
Markdown table; --results appends rows that `projhead report` makes tables of.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from numpy.typing import NDArray
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Pooling, Transformer
from tabulate import tabulate
from tqdm import tqdm
from transformers import MPNetConfig, MPNetModel

from encode_limit import limit, shapes_of
from projhead import PCA, SentenceTransformerEncoder, build_student, load_reducer, load_student
from projhead.batching import token_batches
from projhead.cli import conf_dir
from projhead.corpora.docstrings import Docstrings
from projhead.corpora.files import TextFiles
from projhead.encoders.export_record import read_record, write_record
from projhead.encoders.minilm import MiniLM
from projhead.exporters.export import sample_texts
from projhead.protocols import Exporter
from projhead.results import Result, append_results
from projhead.vectors import Vectors, unit_rows

KINDS = ["sentence_transformers", "onnx_fp32", "onnx_int8", "onnx_int8_static", "openvino", "openvino_int8"]
STOCK = "sentence-transformers, batches of 32"
CALIBRATION = 512
ALONE = 40  # texts that latency is measured on

COLUMNS = {
    "texts_per_second": ",.0f", "times_stock": ".2f", "texts_per_processor_second": ",.0f",
    "times_stock_processor": ".2f", "share_of_limit": ".0%", "p50_ms": ".1f", "p95_ms": ".1f",
    "peak_megabytes": ",.0f", "megabytes": ".1f", "mean_cosine": ".5f", "worst_cosine": ".4f",
}  # fmt: skip

Encode = Callable[[list[str]], Vectors]


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("artifact", type=Path, nargs="?")
    parser.add_argument("--mpnet", action="store_true", help="random weights instead of an artifact")
    parser.add_argument("--teacher", help="folder or name; the embedded MiniLM where not given")
    parser.add_argument("--texts", help="a file or folder of texts, as corpus=file reads it")
    parser.add_argument("--column", default="text")
    parser.add_argument("--max-words", type=int, default=80, help="of docstrings")
    parser.add_argument("--n", type=int, default=2000, help="texts to measure on")
    parser.add_argument("--kinds", nargs="+", default=KINDS, help="names in conf/export")
    parser.add_argument("--folders", nargs="*", default=[], type=Path, help="other exports to measure beside them")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--memory", action="store_true", help="measure peak memory too, each in a process of its own")
    parser.add_argument("--results", type=Path, help="a jsonl file to append result rows to")
    args = parser.parse_args()
    if (args.artifact is None) != args.mpnet:
        parser.error("expected an artifact, or --mpnet")
    return args


def texts_of(args: argparse.Namespace) -> tuple[list[str], list[str]]:
    """Return texts to measure on and others to calibrate on, both drawn at random."""
    docstrings = Docstrings(max_train=100_000, max_test=100_000, max_words=args.max_words)
    corpus = TextFiles(args.texts, column=args.column) if args.texts else docstrings
    texts = sorted({document.text for document in corpus.documents("all")})
    chosen = [texts[position] for position in np.random.default_rng(0).permutation(len(texts))]
    measured, others = chosen[: args.n], chosen[args.n :]
    if len(measured) < args.n or len(others) < 32:
        raise SystemExit(f"expected {args.n} texts and at least 32 more for calibration, got {len(texts)}; lower --n")
    return measured, sample_texts(others[: 4 * CALIBRATION], CALIBRATION)


def export(kind: str, student: SentenceTransformer, folder: Path, texts: list[str]) -> float:
    """Write an export; return its size in MB."""
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        exporter: Exporter = instantiate(compose("export", [f"export={kind}"]).export)
    if exporter.encoder is None:
        raise SystemExit(f"--kinds: expected exports of a student, got {kind}, which is a head alone")
    folder.mkdir()
    exporter.write(student, folder, texts)
    encoder = f"{exporter.encoder.__module__}.{exporter.encoder.__qualname__}"
    return float(write_record(folder, {"encoder": encoder})["bytes"]) / 1e6


def stock(folder: Path, dtype: str) -> Encode:
    model = SentenceTransformer(str(folder), device="cpu", model_kwargs={"dtype": dtype})
    return lambda texts: unit_rows(model.encode(texts, batch_size=32, convert_to_tensor=True).float().numpy())


def random_mpnet(folder: Path) -> SentenceTransformer:
    """Return a student of mpnet-base's shape, 768 -> 128, with random weights and MiniLM's tokenizer."""
    teacher = MiniLM(device="cpu").model
    MPNetModel(MPNetConfig(vocab_size=30522)).save_pretrained(folder)
    teacher.tokenizer.save_pretrained(folder)
    config = json.loads((folder / "tokenizer_config.json").read_text())
    config.update(tokenizer_class="TokenizersBackend", model_input_names=["input_ids", "attention_mask"])
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    model = SentenceTransformer(modules=[Transformer(str(folder), max_seq_length=256), Pooling(768)], device="cpu")
    return build_student(model, PCA(128).fit(np.random.default_rng(0).normal(size=(512, 768))))


class Taken(NamedTuple):
    """Medians over rounds, in seconds, and latencies of single texts in milliseconds."""

    wall: float
    processor: float
    p50: float
    p95: float


def measure(systems: dict[str, Encode], texts: list[str], rounds: int) -> tuple[dict[str, Taken], dict[str, Vectors]]:
    """Return what each system takes, and its rows."""
    seconds: dict[str, list[tuple[float, float]]] = {name: [] for name in systems}
    alone: dict[str, list[float]] = {name: [] for name in systems}
    rows = {}
    for encode in systems.values():
        encode(texts[:64])  # warm
    for name in tqdm(list(systems) * rounds, desc="encode", unit="pass"):
        started, busy = time.perf_counter(), time.process_time()
        rows[name] = systems[name](texts)
        seconds[name].append((time.perf_counter() - started, time.process_time() - busy))
    for text in texts[:ALONE]:
        for name, encode in systems.items():
            started = time.perf_counter()
            encode([text])
            alone[name].append(1000 * (time.perf_counter() - started))
    medians = {name: np.median(each, axis=0) for name, each in seconds.items()}
    return {name: Taken(*medians[name], *np.percentile(alone[name], [50, 95])) for name in systems}, rows


def peak_memory(folder: Path, texts: list[str]) -> float:
    """Return the peak resident memory, in MB, of a process that encodes with an export."""
    code = (
        "import json, resource, sys; from projhead import load_student; "
        "load_student(sys.argv[1]).encode(json.load(sys.stdin)); "
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(folder)], input=json.dumps(texts), capture_output=True, text=True, check=True
    )
    return float(done.stdout)


def padding(lengths: list[int], batches: list[NDArray[np.int64]]) -> float:
    """Return the share of padding in batches of texts."""
    padded = sum(len(batch) * max(lengths[position] for position in batch) for batch in batches)
    return 1 - sum(lengths) / padded


def main() -> None:
    args = arguments()
    texts, calibration = texts_of(args)
    with tempfile.TemporaryDirectory() as temporary:
        top = Path(temporary)
        if args.mpnet:
            (top / "mpnet").mkdir()
            student, measured = random_mpnet(top / "mpnet"), {"reducer": "pca", "encoder": "mpnet-base, random weights"}
        else:
            teacher = SentenceTransformerEncoder(args.teacher, device="cpu") if args.teacher else MiniLM(device="cpu")
            reducer = load_reducer(args.artifact)
            student = build_student(teacher.model, reducer, teacher.revision)
            measured = {"reducer": reducer.kind, "encoder": teacher.name}
        folders = {kind: top / kind for kind in args.kinds}
        sizes = {kind: export(kind, student, folder, calibration) for kind, folder in folders.items()}
        size = export("sentence_transformers", student, top / "stock", calibration)
        folders |= {folder.name: folder for folder in args.folders}
        sizes |= {folder.name: float(read_record(folder)["bytes"]) / 1e6 for folder in args.folders}
        names = {f"{STOCK}, {dtype}": dtype for dtype in ("float32", "bfloat16")}
        sizes |= dict.fromkeys(names, size)
        systems = {name: stock(top / "stock", dtype) for name, dtype in names.items()}
        systems |= {name: load_student(folder).encode for name, folder in folders.items()}
        lengths = [len(ids) for ids in student.tokenizer(texts, truncation=True, max_length=256)["input_ids"]]
        shapes = shapes_of(student)
        for what, int8 in (("float32", False), ("int8", True)):
            run = limit(shapes, sum(lengths), int8=int8)
            systems[f"limit: {what} matrix products alone"] = partial(_alone, run)
        taken, rows = measure(systems, texts, args.rounds)
        memory = {name: peak_memory(folder, texts) for name, folder in folders.items()} if args.memory else {}
    report(args, measured, texts, lengths, taken, rows, sizes, memory)


def _alone(run: Callable[[], None], texts: list[str]) -> Vectors:
    if len(texts) > 64:  # whole passes only
        run()
    return np.empty((len(texts), 0), np.float32)


def report(
    args: argparse.Namespace, measured: dict[str, str], texts: list[str], lengths: list[int], taken: dict[str, Taken],
    rows: dict[str, Vectors], sizes: dict[str, float], memory: dict[str, float],
) -> None:  # fmt: skip
    """Print the table; append the rows."""
    reference, least = f"{STOCK}, float32", taken["limit: int8 matrix products alone"]
    table, results = [], []
    for name, took in taken.items():
        values = {
            "texts_per_second": len(texts) / took.wall,
            "texts_per_processor_second": len(texts) / took.processor,
            "tokens_per_second": sum(lengths) / took.wall,
            "times_stock": taken[reference].wall / took.wall,
            "times_stock_processor": taken[reference].processor / took.processor,
            "share_of_limit": least.processor / took.processor,
        }
        if name in sizes:
            cosine = np.einsum("nk,nk->n", rows[reference], rows[name], dtype=np.float64).clip(max=1)
            values |= {"p50_ms": took.p50, "p95_ms": took.p95, "megabytes": sizes[name]}
            values |= {"mean_cosine": float(cosine.mean()), "worst_cosine": float(cosine.min())}
        if name in memory:
            values["peak_megabytes"] = memory[name]
        table.append([name, *(f"{values[key]:{form}}" if key in values else "" for key, form in COLUMNS.items())])
        results += [
            Result(f"export/{name}", key, value, value, value, n_components=rows[reference].shape[1], n=len(texts),
                   revision="", **measured)
            for key, value in values.items()
        ]  # fmt: skip
    ours, order = token_batches(lengths, 1024), np.argsort([-len(text) for text in texts])
    theirs = [order[start : start + 32] for start in range(0, len(texts), 32)]
    print(
        f"{len(texts):,} texts of {np.mean(lengths):.0f} tokens on average ({min(lengths)} to {max(lengths)}), "
        f"median of {args.rounds} rounds, {os.cpu_count()} cores ({platform.machine()}), "
        f"load {os.getloadavg()[0]:.1f}; "
        f"padding: stock {padding(lengths, theirs):.1%}, projhead {padding(lengths, ours):.1%}\n"
    )
    print(tabulate(table, ["what", *(key.replace("_", " ") for key in COLUMNS)], tablefmt="github"))
    if args.results:
        append_results(args.results, results)


if __name__ == "__main__":
    main()
