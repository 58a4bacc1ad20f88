"""Result rows: one number each, appended to a jsonl file that every table and picture is made from."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from pathlib import Path


@dataclass(frozen=True)
class Result:
    """One measured number and everything needed to know what it is.

    Attributes
    ----------
    task, metric : str
        Such as ``"retrieval/scifact"`` and ``"ndcg@10"``; sizes and speeds are rows too (``"export/onnx"``,
        ``"megabytes"``).
    value, low, high : float
        The number and its 95% interval (both ends the value itself where there is none).
    reducer : str
        ``"teacher"``, ``"learned"``, ``"pca"``, ...
    n_components : int
        Width of the vectors.
    n : int
        How many queries, pairs or texts were measured.
    baseline : str
        Where not empty, `value` is the difference to that reducer, and the interval a paired one.
    codec, bytes_per_vector, index : str, int, str
        How vectors were stored and searched.
    seed, encoder, revision, commit : int, str, str, str
        Where it comes from: the training seed, the teacher and its digest, the projhead version.
    """

    task: str
    metric: str
    value: float
    low: float
    high: float
    reducer: str
    n_components: int
    n: int
    encoder: str
    revision: str
    baseline: str = ""
    codec: str = "float32"
    bytes_per_vector: int = 0
    index: str = "exact"
    seed: int = 0
    commit: str = ""


def append_results(path: Path, results: Iterable[Result]) -> None:
    """Append rows and sync them to disk."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = "".join(json.dumps(asdict(result), allow_nan=False) + "\n" for result in results)
    with path.open("a", encoding="utf-8") as file:
        file.write(lines)
        file.flush()
        os.fsync(file.fileno())


def read_results(path: Path) -> list[Result]:
    """Read all rows of a jsonl file.

    Raises
    ------
    ValueError
        If a line is not a result row; the line is named.
    """
    names = {field.name for field in fields(Result)}
    results = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        try:
            record = json.loads(line)
            if not set(record) <= names:
                raise ValueError(f"unknown fields {sorted(set(record) - names)}")
            results.append(Result(**record))
        except (ValueError, TypeError) as error:
            raise ValueError(f"{path}, line {number}: expected a result row, got {line:.100!r} ({error})") from error
    return results
