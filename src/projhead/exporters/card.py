"""The model card of an export: what it is, how to load it, what was measured."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

from projhead.protocols import Exporter


def card(exporter: Exporter, record: dict[str, Any], measured: str) -> str:
    """Return the text of README.md, with the front matter that model hubs read."""
    teacher = record["teacher"] or {"name": "vectors of your own", "revision": "unknown", "dimension": "?"}
    parity = record["parity"]
    base = [f"base_model: {teacher['name']}"] if "/" in teacher["name"] and " " not in teacher["name"] else []
    front = ["---", "library_name: sentence-transformers", "pipeline_tag: sentence-similarity", *base]
    front += ["tags:", "- sentence-transformers", "- feature-extraction", "- sentence-similarity", "- projhead", "---"]
    lines = [
        *front,
        "",
        f"# {teacher['name']}, reduced to {record['dimension']} dimensions",
        "",
        f"{exporter.title}. Teacher: {teacher['name']} (revision {teacher['revision']}, width {teacher['dimension']}); "
        f"reducer: {record['reducer']}. Rows are of unit length: compare them by inner product.",
        "",
        "## Use",
        "",
        "```python",
        exporter.usage.strip(),
        "```",
        "",
        "## Parity",
        "",
        f"Measured on these files against the fp32 student, over {parity['n']} items.",
        "",
        "| mean cosine | 1st percentile | worst | overlap of the 10 nearest | size |",
        "|---|---|---|---|---|",
        f"| {parity['mean_cosine']:.5f} | {parity['p1_cosine']:.5f} | {parity['worst_cosine']:.5f} "
        f"| {parity['overlap_at_10']:.4f} | {record['bytes'] / 1e6:.1f} MB |",
    ]
    if measured:
        lines += ["", "## Quality", "", measured]
    lines += ["", f"Written by projhead {version('projhead')}."]
    return "\n".join(lines) + "\n"
