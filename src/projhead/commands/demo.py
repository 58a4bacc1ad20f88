"""``projhead demo``: every other verb in a row, on text that every machine has."""

from __future__ import annotations

import shlex
import time
from pathlib import Path

from omegaconf import DictConfig

from projhead.commands.in_process import run_verb
from projhead.commands.run_folder import run_folder
from projhead.report.findings import retention_at
from projhead.report.results import read_results

_QUERIES = (
    "how do I split data into training and test parts",
    "solve a system of linear equations",
    "nearest neighbors of a point",
    "draw random numbers from a normal distribution",
)


def run(cfg: DictConfig) -> float:
    """Run everything; return the head's share of the full-width teacher's nDCG@10 at the middle width."""
    started, folder = time.perf_counter(), run_folder()
    teacher, corpus = f"encoder={cfg.teacher}", f"corpus.max_train={cfg.documents}"
    widths = list(cfg.widths)
    middle = widths[len(widths) // 2]
    _say("Train a head at each width, beside every PCA form")
    for width in widths:
        _verb(folder / f"train-{width}", "train", teacher, corpus, f"n_components={width}")
    artifacts = [str(folder / f"train-{width}" / "artifact") for width in widths]
    artifact = artifacts[len(widths) // 2]
    _say("Measure the heads where it counts: does a summary find its docstring?")
    _verb(folder / "evaluate", "evaluate", teacher, f"artifact=[{','.join(artifacts)}]", "codecs=[int8,binary]")
    _say("Write the encoder with the head inside, for stock tools")
    student = folder / "students"
    for export, form in (("sentence_transformers", ()), ("onnx", ("quantization=int8",))):
        _verb(
            folder / f"export-{export}",
            "export",
            teacher,
            corpus,
            f"artifact={artifact}",
            f"export={export}",
            *form,
            f"out={student / export}",
        )
    _say("Measure the quantized student as it will be used")
    _verb(folder / "evaluate-students", "evaluate", teacher, f"exported={student / 'onnx'}", "task=retrieval")
    _say("Encode with the quantized student, index, and search")
    store, index = folder / "store", folder / "index"
    encoder = ("encoder=exported", f"encoder.path={student / 'onnx'}")
    _verb(folder / "encode", "encode", *encoder, "split=test", f"out={store}")
    _verb(folder / "index-run", "index", f"store={store}", f"out={index}")
    queries = ",".join(f"'{query}'" for query in _QUERIES)
    _verb(folder / "search", "search", f"index={index}", f"query=[{queries}]", "top_k=3")
    _say("Put it all on one page")
    _verb(folder / "report-run", "report", f"results={folder}", f"out={folder / 'report'}")
    kept = retention_at(read_results(folder / "evaluate" / "results.jsonl"), middle)
    seconds = time.perf_counter() - started
    print(
        f"\nDone in {seconds:.0f} s. At {middle} dimensions the head keeps {kept['subject']:.1%} of the teacher's "
        f"nDCG@10, the best baseline {kept['baseline']:.1%}.\nOpen {folder / 'report' / 'index.html'}"
    )
    return kept["subject"]


def _say(text: str) -> None:
    print(f"\n\n=== {text}", flush=True)


def _verb(folder: Path, verb: str, *overrides: str) -> None:
    print(f"\n$ projhead {verb} {shlex.join(overrides)}\n", flush=True)
    run_verb(verb, overrides, folder)
