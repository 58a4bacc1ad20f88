"""How fast each export of one artifact encodes, against stock sentence-transformers: one run, one machine, same texts.

    python scripts/encode_speed/exports.py ARTIFACT [--texts FILE] [--n 2000] [--kinds onnx_int8 ...] [--rounds 3]
    python scripts/encode_speed/exports.py ARTIFACT --folders students/layers students/static --results results.jsonl
    python scripts/encode_speed/exports.py ARTIFACT --peers peers/bin/python     other tools' exports too; see peers.py
    python scripts/encode_speed/exports.py ARTIFACT --peers peers/bin/python "stock onnx int8" --exports kept
    python scripts/encode_speed/exports.py --mpnet        an mpnet-base of random weights, 768 -> 128: speed alone

``--exports`` keeps what is exported for a later run.

Without a file the texts are docstrings of installed packages, up to --max-words long. Other texts than those measured
calibrate int8. Rounds go through all systems in turn, so that what else the machine does meets each; the median
counts. Where other work shares the machine, texts per second of processor time say more than those per second.
"Stock" is sentence-transformers itself, in batches of 32; cosines and the share of the ten nearest that stay are to it
in float32, the last column's share to the full-width teacher. "Of the limit" compares processor time with that of
nothing but the model's matrix products in int8, over the same tokens unpadded. Latency is of one text at a time.
Prints a Markdown table; --results appends rows that `projhead report` makes tables and a picture of.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from compared import LEAST, Run, markdown, results
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from limit import limit, shapes_of
from passes import Encode, Timed, here, measure, padding, peak_memory
from peers import build_peers
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Pooling, Transformer
from transformers import MPNetConfig, MPNetModel

from projhead import PCA, assemble, load_encoder, load_reducer
from projhead.commands.spelling import spelled
from projhead.corpora.docstrings import Docstrings
from projhead.corpora.files import TextFiles
from projhead.encoders.fingerprint import fingerprint_of
from projhead.encoders.minilm import MiniLM
from projhead.encoders.sentence_transformer import SentenceTransformerEncoder
from projhead.exporters.export import sample_texts
from projhead.persistence.record import Record, read_record
from projhead.protocols import Exporter
from projhead.report.results import append_results
from projhead.settings.options import conf_dir
from projhead.vectors import Vectors, unit_rows

sys.path.append(str(Path(__file__).parents[1]))  # where bench is
from bench import parser as bench_parser

KINDS = ["sentence_transformers", "onnx_fp32", "onnx_int8", "onnx_int8_static"]
KINDS += ["openvino", "openvino_int8", "openvino_int8_bf16"]
STOCK = {"stock float32": "float32", "stock bfloat16": "bfloat16"}
CALIBRATION = 512

LOAD = "from projhead import load_encoder; encode = load_encoder(sys.argv[1]).encode"
LOAD_STOCK = """
from sentence_transformers import SentenceTransformer
model = SentenceTransformer(sys.argv[1], device="cpu", model_kwargs={{"dtype": "{}"}})
encode = lambda texts: model.encode(texts, convert_to_tensor=True)"""


def arguments() -> argparse.Namespace:
    parser = bench_parser(__doc__)
    parser.add_argument("artifact", type=Path, nargs="?")
    parser.add_argument("--mpnet", action="store_true", help="random weights instead of an artifact")
    parser.add_argument("--teacher", help="folder or name; the embedded MiniLM where not given")
    parser.add_argument("--texts", help="a file or folder of texts, as corpus=file reads it")
    parser.add_argument("--column", default="text")
    parser.add_argument("--max-words", type=int, default=80, help="of docstrings")
    parser.add_argument("--n", type=int, default=2000, help="texts to measure on")
    parser.add_argument("--kinds", nargs="+", default=KINDS, help="onnx_int8 for export=onnx quantization=int8")
    parser.add_argument("--folders", nargs="*", default=[], type=Path, help="other exports to measure beside them")
    parser.add_argument("--peers", nargs="+", metavar="PYTHON", help="and systems, if not all; see peers.py")
    parser.add_argument("--exports", type=Path, help="a folder to keep what is exported in, for a later run")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--memory", action="store_true", help="measure peak memory too, each in a process of its own")
    parser.add_argument("--results", type=Path, help="a jsonl file to append result rows to")
    args = parser.parse_args()
    if (args.artifact is None) != args.mpnet:
        parser.error("expected an artifact, or --mpnet")
    if args.peers and "onnx_int8" not in args.kinds:
        parser.error("--peers: expected onnx_int8 among --kinds, which fastembed runs too")
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


def ready(folder: Path) -> Path:
    folder.mkdir(parents=True)
    return folder


def export(kind: str, student: SentenceTransformer, folder: Path, texts: list[str]) -> float:
    """Write an export; return its size in MB."""
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        exporter: Exporter = instantiate(compose("export", spelled("export", [f"export={kind}"])[0]).export)
    if exporter.encoder is None:
        raise SystemExit(f"--kinds: expected exports of a student, got {kind}, which is a head alone")
    if folder.exists():  # by an earlier run
        return read_record(folder, "export", ()).bytes / 1e6
    exporter.write(student, ready(folder), texts)
    encoder = f"{exporter.encoder.__module__}.{exporter.encoder.__qualname__}"
    return Record.of(folder, "export", {"encoder": encoder}).write(folder).bytes / 1e6


def stock(folder: Path, dtype: str) -> Encode:
    model = SentenceTransformer(str(folder), device="cpu", model_kwargs={"dtype": dtype})
    return lambda texts: unit_rows(model.encode(texts, batch_size=32, convert_to_tensor=True).float().numpy())


def random_mpnet(folder: Path) -> SentenceTransformer:
    """Return a student of mpnet-base's shape, 768 -> 128, with random weights and MiniLM's tokenizer."""
    teacher = MiniLM(device="cpu").model
    torch.manual_seed(0)
    MPNetModel(MPNetConfig(vocab_size=30522)).save_pretrained(folder)
    teacher.tokenizer.save_pretrained(folder)
    config = json.loads((folder / "tokenizer_config.json").read_text())
    config.update(tokenizer_class="TokenizersBackend", model_input_names=["input_ids", "attention_mask"])
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    model = SentenceTransformer(modules=[Transformer(str(folder), max_seq_length=256), Pooling(768)], device="cpu")
    return assemble(model, PCA(128).fit(np.random.default_rng(0).normal(size=(512, 768))))


class Subject(NamedTuple):
    """What is measured: the float32 student, its teacher where that means anything, and what rows say of them."""

    student: SentenceTransformer
    teacher: SentenceTransformerEncoder | None
    reducer: str
    encoder: str
    width: int


def subject_of(args: argparse.Namespace, top: Path) -> Subject:
    if args.mpnet:
        return Subject(random_mpnet(ready(top / "mpnet")), None, "pca", "mpnet-base, random weights", 128)
    teacher = SentenceTransformerEncoder(args.teacher, device="cpu") if args.teacher else MiniLM(device="cpu")
    reducer = load_reducer(args.artifact)
    student = assemble(teacher, reducer)
    return Subject(student, teacher, reducer.kind, teacher.name, reducer.n_components)


def check_settings(top: Path, fingerprint: str) -> None:
    """Keep exports of different students apart."""
    path = top / "student.txt"
    if path.exists() and path.read_text() != fingerprint:
        raise SystemExit(f"--exports: expected those of this student, got another's in {top}; give another folder")
    top.mkdir(parents=True, exist_ok=True)
    path.write_text(fingerprint)


def main() -> None:
    args = arguments()
    texts, calibration = texts_of(args)
    with tempfile.TemporaryDirectory() as temporary:
        top = args.exports or Path(temporary)
        subject = subject_of(args, Path(temporary))
        check_settings(top, fingerprint_of(subject.student))
        sizes = dict.fromkeys(STOCK, export("sentence_transformers", subject.student, top / "stock", calibration))
        sizes |= {kind: export(kind, subject.student, top / kind, calibration) for kind in args.kinds}
        sizes |= {folder.name: read_record(folder, "export", ()).bytes / 1e6 for folder in args.folders}
        folders = {kind: top / kind for kind in args.kinds} | {folder.name: folder for folder in args.folders}
        encoders = {name: load_encoder(folder) for name, folder in folders.items()}
        systems = {name: here(stock(top / "stock", dtype)) for name, dtype in STOCK.items()}
        systems |= {name: here(encoder.encode) for name, encoder in encoders.items()}
        peers = None
        if args.peers:
            peers = build_peers(args.peers[0], top, subject.width, calibration, args.peers[1:])
            systems |= {name: partial(peers, name) for name in peers.megabytes}
            sizes |= peers.megabytes
        lengths = [len(ids) for ids in subject.student.tokenizer(texts, truncation=True, max_length=256)["input_ids"]]
        padded = {name: padding(encoders.get(name, name), texts, lengths) for name in systems}
        systems |= limits(subject.student, len(texts), sum(lengths))
        taken, rows = measure(systems, texts, args.rounds)
        memory = peaks(folders, top / "stock", texts) if args.memory else {}
        if peers:
            memory |= peers.peaks(texts) if args.memory else {}
            peers.close()
    full = subject.teacher and subject.teacher.encode(texts)
    run = Run(lengths, full, taken, rows, sizes, padded, memory)
    print(markdown(run, args.rounds))
    if args.results:
        append_results(args.results, results(run, subject.reducer, subject.encoder))


def peaks(folders: dict[str, Path], stock: Path, texts: list[str]) -> dict[str, float]:
    """Return the peak memory of ours and of stock sentence-transformers, each in a process of its own."""
    ours = {name: peak_memory(LOAD, folder, texts) for name, folder in folders.items()}
    return ours | {name: peak_memory(LOAD_STOCK.format(dtype), stock, texts) for name, dtype in STOCK.items()}


def limits(student: SentenceTransformer, n: int, tokens: int) -> dict[str, Timed]:
    """Return what runs nothing but the student's matrix products over n texts of so many tokens."""
    shapes = shapes_of(student)
    runs = {"limit of float32 products": limit(shapes, tokens, int8=False), LEAST: limit(shapes, tokens, int8=True)}
    return {name: here(partial(_alone, run, n)) for name, run in runs.items()}


def _alone(run: Callable[[], None], n: int, texts: list[str]) -> Vectors:
    if len(texts) == n:  # whole passes only
        run()
    return np.empty((len(texts), 0), np.float32)


if __name__ == "__main__":
    main()
