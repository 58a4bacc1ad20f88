"""The model card of an export: what it is, how to load it, what was measured."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from projhead.exporters.serving import Claim, table
from projhead.protocols import Exporter

#: The name of a model on a hub: owner/name.
_HUB_NAME = r"[\w.-]+/[\w.-]+"
#: What loads a folder, by a file in it.
_LIBRARIES = {
    ".safetensors": "sentence-transformers",  # with a graph beside it too
    ".onnx": "onnx",
    "openvino_model.xml": "openvino",
    ".index": "faiss",
    ".vt": "faiss",
}


def card(exporter: Exporter, record: dict[str, Any], measured: str, made: Sequence[Claim] = ()) -> str:
    """Return the text of README.md, with the front matter that model hubs read."""
    teacher = record["teacher"] or {"name": "vectors of your own", "fingerprint": "unknown", "dimension": "?"}
    parity = record["parity"]
    lines = [
        *_front_matter(record, teacher["name"]),
        "",
        f"# {teacher['name']}, reduced to {record['dimension']} dimensions",
        "",
        f"{exporter.title}. Teacher: {teacher['name']} (fingerprint {teacher['fingerprint']}, width "
        f"{teacher['dimension']}); reducer: {record['reducer']}. "
        "Rows are of unit length: compare them by inner product.",
        "",
        "## Use",
        "",
        "```python",
        f'folder = "path/to/this/folder"\n{_usage(exporter, record)}',
        "```",
        "",
        "## Parity",
        "",
        f"Measured on these files against the float32 student, over {parity['n']} {_measured_on(exporter, record)}.",
        "",
        "| mean cosine | 1st percentile | worst | overlap of the 10 nearest | size |",
        "|---|---|---|---|---|",
        f"| {parity['mean_cosine']:.5f} | {parity['p1_cosine']:.5f} | {parity['worst_cosine']:.5f} "
        f"| {parity['overlap_at_10']:.4f} | {record['bytes'] / 1e6:.1f} MB |",
    ]
    if any((record.get("prompts") or {}).values()):
        lines += ["", "## Prompts", "", "Queries and documents are not encoded alike. Before each of them stands:", ""]
        lines += [f"- {side}: `{prompt!r}`" for side, prompt in record["prompts"].items()]
    if record.get("without_inner_normalize"):
        skipped = record["without_inner_normalize"]
        lines += [
            "",
            f"Servers that skip every Normalize but the last: mean cosine {skipped['mean_cosine']:.5f}, worst "
            f"{skipped['worst_cosine']:.5f}, over {skipped['n']} rows.",
        ]
    if made:
        lines += ["", "## Where it runs", "", "By each tool's published rules.", "", *table(made)]
    if measured:
        lines += ["", "## Quality", "", measured]
    lines += ["", f"Written by projhead {record['projhead']}; `export.json` says from what."]
    return "\n".join(lines) + "\n"


def _measured_on(exporter: Exporter, record: dict[str, Any]) -> str:
    if not exporter.encoder:
        return "vectors"
    return "rows of texts, from the shortest to the longest" + (
        ", each as a query and as a document" if record.get("prompts") else ""
    )


def _usage(exporter: Exporter, record: dict[str, Any]) -> str:
    """Return the usage snippet; of two networks that for documents."""
    usage = exporter.usage.strip()
    if not record.get("routes"):
        return usage
    return usage.replace("{folder}/", "{folder}/document/") + "\n# Queries have a network of their own: query/"


def _front_matter(record: dict[str, Any], teacher: str) -> list[str]:
    library = next(
        (library for end, library in _LIBRARIES.items() if any(file.endswith(end) for file in record["files"]))
    )
    base = [f"base_model: {teacher}"] if re.fullmatch(_HUB_NAME, teacher) else []
    tags = [library, "sentence-similarity", "feature-extraction", "projhead"]
    return [
        "---",
        f"library_name: {library}",
        "pipeline_tag: sentence-similarity",
        *base,
        "tags:",
        *(f"- {tag}" for tag in tags),
        "---",
    ]
