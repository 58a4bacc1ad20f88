"""The metadata of a hub card: license, language, base model, data sets, measured rows."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from projhead.report.results import Result

_HUB_NAME = re.compile(r"[\w.-]+/[\w.-]+")
#: What hubs call our tasks.
_TASKS = {"retrieval": "information-retrieval", "sts": "semantic-similarity", "classification": "classification"}
_USAGE = """\
# {name}

A projection head by projhead: vectors of {teacher}, {width} wide, to {k} dimensions.

```python
from projhead import load_reducer

reducer = load_reducer("{name}")
rows = reducer.transform(vectors)  # the teacher's (n, {width}) -> unit rows (n, {k})
```
"""


def with_front_matter(
    text: str,
    kind: str,
    body: dict[str, Any],
    name: str,
    *,
    license: str | None = None,
    language: Sequence[str] = (),
    datasets: Sequence[str] = (),
    base_model: str | None = None,
    rows: Sequence[Result] = (),
) -> str:
    """Return a card with its folder's metadata on top; metadata that it has already stays.

    Parameters
    ----------
    text : str
        The card; an artifact without one gets a few lines that load it.
    kind : str
        Of the folder's record: ``"artifact"``, ``"export"`` or ``"encoder"``.
    body : dict
        The record's.
    name : str
        Of the repository.
    license, language, datasets, base_model : str or sequence of str, optional
    rows : sequence of Result
        Of these the subject's own at the folder's width go into the model-index.
    """
    from huggingface_hub import EvalResult, ModelCard

    teacher = body.get("teacher") or {}
    width = body.get("dimension") or body.get("head", {}).get("parameters", {}).get("out_features")
    if kind == "artifact" and not text.strip():
        known = {"name": "an unknown teacher", "dimension": "d"} | teacher
        text = _USAGE.format(name=name, teacher=known["name"], width=known["dimension"], k=width)
    card = ModelCard(text if text.startswith("---\n") else f"---\ntags: [projhead]\n---\n\n{text}")
    data: Any = card.data
    said: dict[str, Any] = {
        "license": license,
        "language": list(language) or None,
        "datasets": list(datasets) or None,
        "base_model": base_model or _of_hub(teacher.get("name", "")),
    }
    for key, value in said.items():
        if value is not None:
            setattr(data, key, value)
    if kind == "artifact":
        data.library_name = "projhead"
    data.tags = sorted({*(data.tags or []), "projhead", "sentence-similarity"})
    measured = [row for row in rows if row.role == "subject" and not row.baseline and row.n_components == width]
    measured = [row for row in measured if not row.task.startswith("export/")]
    if measured:
        data.metrics = sorted({row.metric for row in measured})
        data.model_name = name
        data.eval_results = [
            EvalResult(
                task_type=_TASKS.get(row.task.split("/")[0], "sentence-similarity"),
                dataset_type=row.task,
                dataset_name=f"{row.task}, {row.n} items, codec {row.codec}, seed {row.seed}",
                metric_type=row.metric,
                metric_value=row.value,
                metric_name=f"{row.metric} [{row.low:.4f}, {row.high:.4f}]",
            )
            for row in measured
        ]
    return str(card)


def _of_hub(name: str) -> str | None:
    return name if _HUB_NAME.fullmatch(name) else None
