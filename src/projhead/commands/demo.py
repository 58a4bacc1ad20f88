"""``projhead demo``: every other verb in a row, on text that every machine has."""

from __future__ import annotations

import time

from omegaconf import DictConfig

from projhead.commands.in_process import run_verb
from projhead.commands.run_folder import run_folder
from projhead.report.findings import retention_at
from projhead.report.results import read_results


def run(cfg: DictConfig) -> float:
    """Run everything; return the head's share of the full-width teacher's nDCG@10 at the middle width."""
    started, folder, widths = time.perf_counter(), run_folder(), list(cfg.widths)
    teacher, corpus = f"encoder={cfg.teacher}", f"corpus.max_train={cfg.documents}"
    onnx, stock = (folder / "students" / name for name in ("onnx", "sentence_transformers"))
    store, index = folder / "store", folder / "index"
    artifacts = [folder / f"train-{width}" / "artifact" for width in widths]
    middle, artifact = widths[len(widths) // 2], f"artifact={artifacts[len(widths) // 2]}"
    every, asked = ",".join(map(str, artifacts)), ",".join(f"'{query}'" for query in cfg.queries)
    title = "Train a head at each width, beside every PCA form"
    for width in widths:
        run_verb("train", [teacher, corpus, f"n_components={width}"], folder / f"train-{width}", title=title)
        title = ""
    for title, name, verb, *words in (
        ("Measure the heads where it counts: does a summary find its docstring?",
         "evaluate", "evaluate", teacher, f"artifact=[{every}]", "codecs=[int8,binary]"),
        ("Write the encoder with the head inside, for stock tools",
         f"export-{stock.name}", "export", teacher, corpus, artifact, f"export={stock.name}", f"out={stock}"),
        ("", f"export-{onnx.name}", "export", teacher, corpus, artifact, f"export={onnx.name}", "quantization=int8",
         f"out={onnx}"),
        ("Measure the quantized student as it will be used",
         "evaluate-students", "evaluate", teacher, f"exported={onnx}", "task=retrieval"),
        ("Encode with the quantized student, index, and search",
         "encode", "encode", "encoder=exported", f"encoder.path={onnx}", "split=test", f"out={store}"),
        ("", "index-run", "index", f"store={store}", f"out={index}"),
        ("", "search", "search", f"index={index}", f"query=[{asked}]", "top_k=3"),
        ("Put it all on one page", "report-run", "report", f"results={folder}", f"out={folder / 'report'}"),
    ):  # fmt: skip
        run_verb(verb, words, folder / name, title=title)
    kept = retention_at(read_results(folder / "evaluate" / "results.jsonl"), middle)
    seconds = time.perf_counter() - started
    print(
        f"\nDone in {seconds:.0f} s. At {middle} dimensions the head keeps {kept['subject']:.1%} of the teacher's "
        f"nDCG@10, the best baseline {kept['baseline']:.1%}.\nOpen {folder / 'report' / 'index.html'}"
    )
    return kept["subject"]
