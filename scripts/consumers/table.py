"""Draw the matrix of docs/guides/serving.md from docs/results/consumers.jsonl.

python scripts/consumers/table.py
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from projhead.exporters.consumers import CONSUMERS
from projhead.persistence.files import atomic_file

ROOT = Path(__file__).parents[2]
_MARKS = re.compile(r"(<!-- matrix -->\n).*?(<!-- /matrix -->)", re.DOTALL)
#: What is shown of a form that several heads were measured in: all of them, or one for all, since graphs hold the head.
_COLUMNS = [
    ("modules", "linear", "linear"),
    ("modules", "residual MLP, ReLU", "MLP, ReLU"),
    ("modules", "residual MLP, GELU", "MLP, GELU"),
    ("modules", "linear with a bias", "linear with a bias"),
    ("modules", "rotation, full width", "rotation"),
    ("onnx", None, "ONNX"),
    ("openvino", None, "OpenVINO"),
    ("table", None, "table"),
]


def matrix(rows: Sequence[dict[str, Any]]) -> str:
    """Return a line for each consumer and version, a column for each head and export."""
    by: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in rows:
        by.setdefault((row["consumer"], row["environment"]), []).append(row)
    order = list(CONSUMERS)
    lines = []
    for (consumer, environment), own in sorted(by.items(), key=lambda one: (order.index(one[0][0]), one[0][1])):
        version = next((f" {row['version']}" for row in own if "version" in row), "")
        how = "" if own[0]["how"] == "run" else ", *by its rule*"
        through = " with optimum" if environment == "optimum" else ""
        cells = [_cell(own, form, head) for form, head, _ in _COLUMNS]
        lines.append(f"| {CONSUMERS[consumer].title}{version}{through}{how} | {' | '.join(cells)} |")
    head = " | ".join(title for _, _, title in _COLUMNS)
    return "\n".join([f"| | {head} |", "|---" * (len(_COLUMNS) + 1) + "|", *lines])


def _cell(rows: Sequence[dict[str, Any]], form: str, head: str | None) -> str:
    """Return what holds of a form: exact, where texts are cut too or not; refused; or, which must not be, wrong."""
    own = [row for row in rows if row["form"] == form and head in (None, row["head"])]
    if not own:
        return "" if form in CONSUMERS[rows[0]["consumer"]].reads else "not supported"
    if all(row["claimed"] == "refused" for row in own):
        return "refused"
    if all(row["found"] == "needs optimum" for row in own):
        return "needs optimum"
    if any(row["found"] != "exact" for row in own):
        return "wrong"
    return "exact, whole texts" if any("beyond the limit" in row for row in own) else "exact"


def main() -> None:
    """Write the matrix between its marks."""
    lines = (ROOT / "docs" / "results" / "consumers.jsonl").read_text(encoding="utf-8").splitlines()
    page = ROOT / "docs" / "guides" / "serving.md"
    text = page.read_text(encoding="utf-8")
    drawn = matrix([json.loads(line) for line in lines])
    with atomic_file(page) as temporary:
        temporary.write_text(_MARKS.sub(lambda mark: f"{mark[1]}{drawn}\n{mark[2]}", text), encoding="utf-8")


if __name__ == "__main__":
    main()
