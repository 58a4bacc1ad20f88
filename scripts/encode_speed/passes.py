"""Passes of several systems over the same texts, in turn, and what is read off them."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from projhead.corpora.batching import token_batches
from projhead.encoders.graph import GraphEncoder
from projhead.encoders.sentence_transformer import SentenceTransformerEncoder
from projhead.protocols import Encoder
from projhead.vectors import Vectors, neighbor_overlap

sys.path.append(str(Path(__file__).parents[1]))  # where bench is
from bench import timed

Encode = Callable[[list[str]], Vectors]
#: Texts to wall seconds, processor seconds of all threads, and rows.
Timed = Callable[[list[str]], tuple[float, float, Vectors]]

ALONE = 40  # texts that latency is measured on
_WINDOW = 512  # of projhead's exported graphs


class Taken(NamedTuple):
    """Medians over rounds, in seconds, and latencies of single texts in milliseconds."""

    wall: float
    processor: float
    p50: float
    p95: float


def here(encode: Encode) -> Timed:
    """Time what runs in this process."""

    def run(texts: list[str]) -> tuple[float, float, Vectors]:
        rows, took = timed(lambda: encode(texts))
        return *took, rows

    return run


def measure(systems: dict[str, Timed], texts: list[str], rounds: int) -> tuple[dict[str, Taken], dict[str, Vectors]]:
    """Return what each system takes, and its rows."""
    seconds: dict[str, list[tuple[float, float]]] = {name: [] for name in systems}
    alone: dict[str, list[float]] = {name: [] for name in systems}
    rows = {}
    for run in systems.values():
        run(texts[:64])  # warm
    for name in tqdm(list(systems) * rounds, desc="encode", unit="pass"):
        wall, processor, rows[name] = systems[name](texts)
        seconds[name].append((wall, processor))
    for text in texts[:ALONE]:
        for name, run in systems.items():
            alone[name].append(1000 * run([text])[0])
    medians = {name: np.median(each, axis=0) for name, each in seconds.items()}
    return {name: Taken(*medians[name], *np.percentile(alone[name], [50, 95])) for name in systems}, rows


def likeness(reference: Vectors, teacher: Vectors | None, rows: Vectors) -> dict[str, float]:
    """Compare rows with the float32 student's, where they are of its space, and with the teacher's."""
    values = {}
    cosine = np.einsum("nk,nk->n", reference, rows, dtype=np.float64) if rows.shape == reference.shape else np.zeros(1)
    if cosine.mean() > 0.5:  # else of another space
        values |= {"mean_cosine": float(cosine.mean().clip(max=1)), "worst_cosine": float(cosine.min().clip(max=1))}
        values["overlap_at_10"] = _overlap(reference, rows)
    return values | ({} if teacher is None else {"teacher_overlap_at_10": _overlap(teacher, rows)})


def _overlap(reference: Vectors, rows: Vectors) -> float:
    return float(neighbor_overlap(reference, rows, [10]).mean())


def peak_memory(loader: str, folder: Path, texts: list[str]) -> float:
    """Return the peak resident memory, in MB, of a process that loads `encode` and encodes the texts."""
    code = f"import json, sys; sys.path.append({str(Path(__file__).parent)!r}); from peers import peak_megabytes\n"
    code += f"{loader}\nencode(json.load(sys.stdin))\n"
    command = [sys.executable, "-c", f"{code}print(peak_megabytes())", str(folder)]
    done = subprocess.run(
        command, input=json.dumps(texts), stdout=subprocess.PIPE, text=True, check=True, cwd=Path(__file__).parent
    )
    return float(done.stdout)


def padding(encoder: Encoder | str, texts: Sequence[str], lengths: Sequence[int]) -> float:
    """Return the share of padding among the tokens of the batches that an encoder, or another tool, makes."""
    by_length = np.argsort([-len(text) for text in texts], kind="stable")
    if isinstance(encoder, GraphEncoder):
        windows = _every(by_length, _WINDOW)
        budget = encoder.token_budget
        batches = [window[batch] for window in windows for batch in token_batches(np.asarray(lengths)[window], budget)]
    elif isinstance(encoder, SentenceTransformerEncoder) and callable(encoder.model.tokenizer):
        batches = token_batches(lengths, encoder.token_budget)
    elif str(encoder).startswith("stock"):
        batches = _every(by_length, 32)
    elif str(encoder).startswith("fastembed"):
        batches = _every(np.arange(len(texts)), 256)
    else:  # a table of tokens
        return 0.0
    padded = sum(len(batch) * max(lengths[position] for position in batch) for batch in batches)
    return 1 - sum(lengths) / padded


def _every(order: NDArray[np.int64], size: int) -> list[NDArray[np.int64]]:
    return [order[start : start + size] for start in range(0, len(order), size)]
