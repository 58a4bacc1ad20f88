"""Result rows: one number each, in a jsonl file."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from projhead.persistence.files import atomic_file, locked

#: Of what is compared: the full-width teacher, what is asked about, what that is compared with.
ROLES = ("reference", "subject", "baseline")


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
        Where not empty, `value` is the difference to that reducer (or codec), and the interval a paired one.
    codec, bytes_per_vector, index : str, int, str
        How vectors were stored and searched.
    seed, encoder, fingerprint, commit : int, str, str, str
        Where it comes from: the training seed, the teacher and its digest (with what it computes in, where
        that is not what its files hold), the projhead version.
    role : str
        ``"reference"`` (the full-width teacher), ``"subject"`` or ``"baseline"``.
    fitted_to : str
        What the codec was fitted to: a corpus, ``"trained"`` with the head, or, where empty, what it stores.
    variant : int
        Which of several of one name, width and seed that are not the same, from 1.
    documents : int
        How many were searched, where that is varied; else 0.
    minutes, command : float, str
        How long the fit took (0 where there was none, or nobody looked), and what was typed.
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
    fingerprint: str
    baseline: str = ""
    codec: str = "float32"
    bytes_per_vector: int = 0
    index: str = "exact"
    seed: int = 0
    commit: str = ""
    role: str = "subject"
    fitted_to: str = ""
    variant: int = 1
    documents: int = 0
    minutes: float = 0.0
    command: str = ""


def named(reducer: str, variant: int) -> str:
    """Return what a reducer is called in tables: of several that share a name all but the first are numbered."""
    return reducer if variant == 1 else f"{reducer} #{variant}"


def append_results(path: Path, results: Iterable[Result], *, once: bool = False) -> None:
    """Append rows, all of them or none; a line that another writer left unfinished stays by itself.

    Parameters
    ----------
    path : Path
    results : iterable of Result
    once : bool
        Whether rows that stand there already, to the letter, are left out: whoever was interrupted may begin again.

    Raises
    ------
    FileExistsError
        If the file is none of result rows.
    """
    rows = [json.dumps(asdict(result), allow_nan=False) for result in results]
    with locked(path.parent):
        expect_rows(path)
        there = path.read_bytes() if path.is_file() else b""
        known = set(there.decode("utf-8", "replace").split("\n")) if once else set()
        lines = "".join(f"{row}\n" for row in rows if row not in known)
        ended = not there or there.endswith(b"\n")
        with atomic_file(path) as temporary:
            temporary.write_bytes(there + (b"" if ended else b"\n") + lines.encode())


def expect_rows(path: Path) -> None:
    """Refuse to append to a file whose first line is no result row.

    Raises
    ------
    FileExistsError
        If it is none.
    """
    if not path.is_file() or not (first := _first_line(path)).strip():
        return
    try:
        _checked(_modern(json.loads(first)))
    except (ValueError, TypeError, RecursionError):
        raise FileExistsError(f"{path} exists and holds no result rows: choose another run_dir") from None


def read_results(path: Path) -> list[Result]:
    """Read all rows of a jsonl file.

    Raises
    ------
    FileNotFoundError
        If there is no file.
    ValueError
        If a line is not a result row; the line is named.
    """
    if not path.is_file():
        raise FileNotFoundError(
            f"{path}: no such file; expected result rows that 'train', 'evaluate' or 'export' wrote"
        )
    results = []
    for number, line in enumerate(path.read_bytes().split(b"\n"), start=1):
        if not line.strip():
            continue
        try:
            results.append(_checked(_modern(json.loads(line))))
        except (ValueError, TypeError, RecursionError) as error:
            found = f"{line[:100]!r} ({error})"
            raise ValueError(f"{path}, line {number}: expected a result row, got {found}; remove that line") from error
    return results


#: What compared heads were called before rows had roles.
_OLD_BASELINES = {
    "pca",
    "pca_uncentered",
    "pca_whitened",
    "pca_power",
    "autoencoder",
    "random_projection",
    "truncation",
}


def _modern(record: Any) -> dict[str, object]:
    """Give a row of an older version its role, and what it wrote into names: ``"pca #2"``, ``"int8 (trained)"``."""
    if not isinstance(record, dict):
        raise TypeError(f"got {type(record).__name__}")
    read: dict[str, Any] = {"fingerprint" if name == "revision" else name: value for name, value in record.items()}
    if "role" in read:
        return read
    if name := re.fullmatch(r"(.+) #(\d+)", str(read.get("reducer"))):
        read |= {"reducer": name[1], "variant": int(name[2])}
    if stored := re.fullmatch(r"(\S+) \((.+)\)", str(read.get("codec"))):
        read |= {"codec": stored[1], "fitted_to": stored[2]}
    kind = read.get("reducer")
    role = "reference" if kind == "teacher" else "baseline" if kind in _OLD_BASELINES else "subject"
    return read | {"role": role}


_KINDS: dict[str, type | tuple[type, ...]] = {"str": str, "int": int, "float": (int, float)}


def _checked(record: dict[str, object]) -> Result:
    """Make a row of what a file says, every field of its kind and every number finite."""
    result = Result(**record)  # type: ignore[arg-type]
    for field in fields(Result):
        value = getattr(result, field.name)
        if not isinstance(value, _KINDS[str(field.type)]) or isinstance(value, bool):
            raise ValueError(f"{field.name}: expected {field.type}, got {value!r}")
        if isinstance(value, float) and not math.isfinite(value):
            raise ValueError(f"{field.name}: expected a finite number, got {value}")
    if result.role not in ROLES:
        raise ValueError(f"role: expected one of {', '.join(ROLES)}, got {result.role!r}")
    return result


def _first_line(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.readline()
