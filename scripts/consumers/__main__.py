"""Load exported folders in every tool that installs, each in its environment, and by the rules of those that do not.

    python scripts/consumers work=DIR [only=txtai,fastembed] [out=docs/results/consumers.jsonl]

Appends a row for each consumer, form of head and export: what is claimed, what was found (exact: the student's rows to
1e-4; wrong; refused; needs optimum, which holds the tool at an older version), on texts that are cut apart, whether it
was run or emulated, and in which version. Rows that are there are not made again, and environments and exports stay in
DIR. Ends with what is not as claimed; `python scripts/consumers/table.py` draws it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from emulated import EMULATED, Refused
from environments import RUNS, prepared
from subjects import Subject, subjects, texts

from projhead.vectors import Vectors

_NEAR = 1e-4
_DRIVERS = Path(__file__).parent / "drivers"


def found(rows: Vectors, subject: Subject) -> dict[str, Any]:
    """Say how far rows are from the right ones, those of texts that are cut apart."""
    if rows.shape != subject.rows.shape:
        return {"found": "wrong", "said": f"rows of shape {rows.shape}, expected {subject.rows.shape}"}
    differences = np.abs(rows - subject.rows).max(axis=1)
    difference, beyond = (float(differences[some].max()) for some in (subject.whole, ~subject.whole))
    told = {"found": "exact" if difference < _NEAR else "wrong", "difference": difference}
    return told if beyond < _NEAR else {**told, "beyond the limit": beyond}


def run(name: str, subject: Subject, root: Path) -> dict[str, Any]:
    """Run a consumer on a folder."""
    script = RUNS[name].driver
    out = root / ("rows.json" if script.endswith(".mjs") else "rows.npy")
    out.unlink(missing_ok=True)
    arguments = [
        str(_DRIVERS / script),
        str(subject.folder),
        subject.form,
        str(out),
        str(root / "exports" / "texts.json"),
    ]
    quiet = {
        "HF_HUB_OFFLINE": "1",
        "TOKENIZERS_PARALLELISM": "false",
        "TQDM_DISABLE": "1",
        "ORT_DISABLE_TELEMETRY": "1",
    }
    kept = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run(
        [*prepared(name, root / "environments"), *arguments],
        capture_output=True, text=True, env={**kept, **quiet, "CUDA_VISIBLE_DEVICES": ""},
        cwd=root / "environments" / name, check=False,
    )  # fmt: skip
    if done.returncode:
        said = done.stderr.strip().splitlines()[-1][:300]
        return {"found": "needs optimum" if "requires installing Optimum" in said else "refused", "said": said}
    rows = np.load(out) if out.suffix == ".npy" else np.array(json.loads(out.read_text()), np.float32)
    return {**found(rows, subject), **json.loads(done.stdout.strip().splitlines()[-1])}


def emulate(consumer: str, subject: Subject, given: list[str]) -> dict[str, Any]:
    """Do as a consumer's rule says."""
    try:
        return found(EMULATED[consumer, subject.form](subject.folder, given), subject)
    except Refused as error:
        return {"found": "refused", "said": str(error)}


def rows_of(root: Path, only: list[str], there: set[tuple[str, ...]]) -> Iterator[dict[str, Any]]:
    """Yield a row for each consumer and folder that has none yet."""
    given = texts()
    for subject in subjects(root / "exports", given):
        place = (subject.head, subject.form)
        for name, one in RUNS.items():
            due = subject.claims[one.consumer]["verdict"] != "refused" and (not only or name in only)
            if due and (name, *place) not in there:
                yield row_of(name, one.consumer, subject, "run", run(name, subject, root))
        for consumer, form in EMULATED:
            wanted = form == subject.form and (not only or consumer in only)
            if wanted and (consumer, *place) not in there:
                yield row_of(consumer, consumer, subject, "emulated", emulate(consumer, subject, given))


def row_of(name: str, consumer: str, subject: Subject, how: str, seen: dict[str, Any]) -> dict[str, Any]:
    """Return a row, as it goes into the file."""
    claim = subject.claims[consumer]
    row = {"consumer": consumer, "environment": name, "head": subject.head, "form": subject.form, "how": how}
    return {**row, "claimed": claim["verdict"], "setting": claim["said"], **seen, "projhead": version("projhead")}


def as_claimed(row: dict[str, Any]) -> bool:
    """Say whether what was found is what an export tells its user."""
    if row["found"] == "needs optimum":
        return row["environment"] != "optimum"
    told = "beyond the limit" not in row or "token limit" in row["setting"]
    return told if row["found"] == "exact" and row["claimed"] != "refused" else row["claimed"] == "refused"


def main() -> None:
    """Append the rows, and tell what is not as claimed."""
    given = dict(one.split("=", 1) for one in sys.argv[1:])
    root, only = Path(given["work"]).resolve(), [one for one in given.get("only", "").split(",") if one]
    out = Path(given.get("out", "docs/results/consumers.jsonl"))
    rows = [json.loads(line) for line in out.read_text().splitlines()] if out.is_file() else []
    there = {(row["environment"], row["head"], row["form"]) for row in rows}
    for row in rows_of(root, only, there):
        print(json.dumps(row), flush=True)
        with out.open("a") as file:
            file.write(json.dumps(row) + "\n")
        rows.append(row)
    off = [row for row in rows if not as_claimed(row)]
    print(f"{len(rows)} rows, {len(off)} not as claimed", *off, sep="\n")


if __name__ == "__main__":
    main()
