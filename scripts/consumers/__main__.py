"""Load exported folders in every tool that installs, each in its environment, and by the rules of those that do not.

    python scripts/consumers work=DIR [only=txtai,fastembed] [out=docs/results/consumers.jsonl]

Writes a row for each consumer, form of head and export: what is claimed, what was found (exact: the student's rows to
1e-4; wrong; refused), whether it was run or emulated, and in which version. Ends with what is not as claimed.
Environments and exports stay in DIR for the next time; `python scripts/consumers/table.py` draws the page.
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

from projhead.persistence.files import atomic_file
from projhead.vectors import Vectors

_NEAR = 1e-4
_DRIVERS = Path(__file__).parent / "drivers"


def found(rows: Vectors, expected: Vectors) -> dict[str, Any]:
    """Say how far rows are from the right ones."""
    if rows.shape != expected.shape:
        return {"found": "wrong", "said": f"rows of shape {rows.shape}, expected {expected.shape}"}
    difference = float(np.abs(rows - expected).max())
    return {"found": "exact" if difference < _NEAR else "wrong", "difference": difference}


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
        return {"found": "refused", "said": done.stderr.strip().splitlines()[-1][:300]}
    rows = np.load(out) if out.suffix == ".npy" else np.array(json.loads(out.read_text()), np.float32)
    return {**found(rows, subject.rows), **json.loads(done.stdout.strip().splitlines()[-1])}


def emulate(consumer: str, subject: Subject, given: list[str]) -> dict[str, Any]:
    """Do as a consumer's rule says."""
    try:
        return found(EMULATED[consumer, subject.form](subject.folder, given), subject.rows)
    except Refused as error:
        return {"found": "refused", "said": str(error)}


def rows_of(root: Path, only: list[str]) -> Iterator[dict[str, Any]]:
    """Yield a row for each consumer and folder: of those that read modules each form of head, of graphs one."""
    given = texts()
    for subject in subjects(root / "exports", given):
        for name, one in RUNS.items():
            claim = subject.claims[one.consumer]
            through_optimum = subject.form == "onnx" and one.requirements[0].startswith("sentence-transformers")
            if (
                claim["verdict"] != "refused"
                and subject.form != "openvino"
                and not through_optimum
                and (not only or name in only)
            ):
                yield _row(name, one.consumer, subject, "run", run(name, subject, root))
        for consumer, form in EMULATED:
            if form == subject.form and (not only or consumer in only):
                yield _row(consumer, consumer, subject, "emulated", emulate(consumer, subject, given))


def _row(name: str, consumer: str, subject: Subject, how: str, seen: dict[str, Any]) -> dict[str, Any]:
    claim = subject.claims[consumer]
    row = {"consumer": consumer, "environment": name, "head": subject.head, "form": subject.form, "how": how}
    row |= {"claimed": claim["verdict"], "setting": claim["said"], **seen, "projhead": version("projhead")}
    print(json.dumps(row), flush=True)
    return row


def main() -> None:
    """Write the rows, and tell what is not as claimed."""
    given = dict(one.split("=", 1) for one in sys.argv[1:])
    root, only = Path(given["work"]).resolve(), [one for one in given.get("only", "").split(",") if one]
    out = Path(given.get("out", "docs/results/consumers.jsonl"))
    kept = [json.loads(line) for line in out.read_text().splitlines()] if only and out.is_file() else []
    made = list(rows_of(root, only))
    keys = {(row["environment"], row["head"], row["form"]) for row in made}
    kept = [row for row in kept if (row["environment"], row["head"], row["form"]) not in keys]
    with atomic_file(out) as temporary:
        temporary.write_text("".join(json.dumps(row) + "\n" for row in [*kept, *made]))
    off = [row for row in made if (row["found"] == "exact") != (row["claimed"] != "refused")]
    print(f"{len(made)} rows, {len(off)} not as claimed", *off, sep="\n")


if __name__ == "__main__":
    main()
