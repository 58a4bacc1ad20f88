"""How fast each export of one artifact encodes, against stock sentence-transformers: one run, one machine, same texts.

    python scripts/encode_speed.py ARTIFACT [--texts FILE] [--n 2000] [--kinds onnx_int8 openvino ...] [--rounds 3]

Without a file the texts are docstrings of installed packages, up to --max-words long. Other texts than those measured
calibrate int8. Rounds go through all systems in turn, so that what else the machine does meets each; the median
counts. Cosines are to stock sentence-transformers in float32. Prints a Markdown table.
"""

from __future__ import annotations

import argparse
import os
import platform
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from sentence_transformers import SentenceTransformer
from tabulate import tabulate
from tqdm import tqdm

from projhead import SentenceTransformerEncoder, build_student, load_reducer, load_student
from projhead.cli import conf_dir
from projhead.corpora.docstrings import Docstrings
from projhead.corpora.files import TextFiles
from projhead.encoders.export_record import write_record
from projhead.encoders.minilm import MiniLM
from projhead.exporters.export import sample_texts
from projhead.protocols import Exporter
from projhead.vectors import Vectors, unit_rows

KINDS = ["sentence_transformers", "onnx_fp32", "onnx_int8", "openvino"]
STOCK = "sentence-transformers, batches of 32"
CALIBRATION = 512

Encode = Callable[[list[str]], Vectors]


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("artifact", type=Path)
    parser.add_argument("--teacher", help="folder or name; the embedded MiniLM where not given")
    parser.add_argument("--texts", help="a file or folder of texts, as corpus=file reads it")
    parser.add_argument("--column", default="text")
    parser.add_argument("--max-words", type=int, default=80, help="of docstrings")
    parser.add_argument("--n", type=int, default=2000, help="texts to measure on")
    parser.add_argument("--kinds", nargs="+", default=KINDS, help="names in conf/export")
    parser.add_argument("--rounds", type=int, default=3)
    return parser.parse_args()


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


def measure(systems: dict[str, Encode], texts: list[str], rounds: int) -> tuple[dict[str, float], dict[str, Vectors]]:
    """Return the median seconds of each system, and its rows."""
    seconds: dict[str, list[float]] = {name: [] for name in systems}
    rows = {}
    for encode in systems.values():
        encode(texts[:64])  # warm
    for name in tqdm(list(systems) * rounds, desc="encode", unit="pass"):
        started = time.perf_counter()
        rows[name] = systems[name](texts)
        seconds[name].append(time.perf_counter() - started)
    return {name: float(np.median(each)) for name, each in seconds.items()}, rows


def main() -> None:
    args = arguments()
    texts, calibration = texts_of(args)
    teacher = SentenceTransformerEncoder(args.teacher, device="cpu") if args.teacher else MiniLM(device="cpu")
    student = build_student(teacher.model, load_reducer(args.artifact), teacher.revision)
    with tempfile.TemporaryDirectory() as temporary:
        top = Path(temporary)
        sizes = {f"projhead {kind}": export(kind, student, top / kind, calibration) for kind in args.kinds}
        size = export("sentence_transformers", student, top / "stock", calibration)
        names = {f"{STOCK}, {dtype}": dtype for dtype in ("float32", "bfloat16")}
        systems = {name: stock(top / "stock", dtype) for name, dtype in names.items()}
        systems |= {f"projhead {kind}": load_student(top / kind).encode for kind in args.kinds}
        seconds, rows = measure(systems, texts, args.rounds)
    reference = f"{STOCK}, float32"
    table = []
    for name, took in seconds.items():
        cosine = np.einsum("nk,nk->n", rows[reference], rows[name], dtype=np.float64).clip(max=1)
        table.append([name, f"{len(texts) / took:,.0f}", f"{seconds[reference] / took:.2f}",
                      f"{sizes.get(name, size):.1f}", f"{cosine.mean():.5f}", f"{cosine.min():.4f}"])  # fmt: skip
    words = np.array([len(text.split()) for text in texts])
    print(
        f"{len(texts):,} texts of {words.mean():.0f} words on average ({words.min()} to {words.max()}), "
        f"median of {args.rounds} rounds, {os.cpu_count()} cores ({platform.machine()}), "
        f"{student.max_seq_length} tokens at most, load {os.getloadavg()[0]:.1f}\n"
    )
    header = ["what", "texts/s", "times stock float32", "MB", "mean cosine", "worst"]
    print(tabulate(table, header, tablefmt="github", disable_numparse=True))


if __name__ == "__main__":
    main()
