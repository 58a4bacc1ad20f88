"""Write an export whole or not at all: write, measure the files, record, rename."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from sentence_transformers import SentenceTransformer

from projhead.encoders.sides import SIDES, prompt_of, two_sided
from projhead.exporters.card import card
from projhead.exporters.parity import Parity, both_sides_of, measure
from projhead.exporters.routes import has_routes
from projhead.exporters.serving import Facts, claims, expect_served, facts_of, without_inner_normalize
from projhead.persistence.folder import in_place
from projhead.persistence.identity import EncoderIdentity
from projhead.persistence.names import name_of
from projhead.persistence.record import CARD, Record, read_record
from projhead.persistence.registry import spec_of
from projhead.protocols import Exporter
from projhead.vectors import Vectors

#: Numbers in fewer bits leave a larger mean cosine than this; below it the files compute something else.
_ROUNDING = 0.9
#: Texts that are measured once more without the inner Normalize, about.
_BARE = 64


def write_export(
    exporter: Exporter,
    subject: Any,
    path: Path,
    items: Any,
    reference: Vectors | Callable[[], Vectors],
    *,
    teacher: EncoderIdentity | None,
    reducer: str,
    min_mean_cosine: float | None = None,
    measured: str = "",
    serve: Sequence[str] = (),
) -> dict[str, Any]:
    """Export `subject`, or leave nothing behind.

    Parameters
    ----------
    exporter : Exporter
    subject : SentenceTransformer or Reducer
        A student, or a reducer for exporters of the head alone.
    path : Path
        The folder to write; an older export there is replaced.
    items : sequence of str, or ndarray of shape (n, d)
        What the subject reads: real texts of several lengths, or vectors. Every second one is for calibration, the
        others for parity, so that none is measured on what it was fitted to.
    reference : ndarray of shape (n, k) or (2, n, k), float32, or callable
        The fp32 subject's unit rows of `items`; of both its sides, queries first, where those differ. Or what computes
        them: it is called once the subject is known to export.
    teacher : EncoderIdentity or None
        Whose vectors the head was fitted to.
    reducer : str
        The kind of reducer, for the record.
    min_mean_cosine : float, optional
        Below this mean cosine nothing is written; the exporter's own threshold where not given.
    measured : str
        Markdown tables of measured quality, for the card.
    serve : sequence of str
        Consumers of `projhead.exporters.consumers` that must give these rows.

    Returns
    -------
    dict
        What ``export.json`` records.

    Raises
    ------
    FileExistsError
        If `path` is something else than an export.
    ValueError
        If parity is below the threshold, there is too little to measure it on, or one of `serve` is refused.
    """
    threshold = exporter.min_mean_cosine if min_mean_cosine is None else min_mean_cosine
    facts = None if exporter.form is None else facts_of(subject, exporter.form)
    expect_served(serve, facts)
    with in_place(path, "export") as folder:
        read = exporter.write(subject, folder, items[::2])
        reference = reference() if callable(reference) else reference
        parity = measure(reference[..., 1::2, :], read(items[1::2]))
        if not parity.mean_cosine >= threshold:
            accept = ", or accept it with min_mean_cosine=..." if parity.mean_cosine > _ROUNDING else ""
            raise ValueError(
                f"{path}: the written files' mean cosine to the float32 student is {parity.mean_cosine:.5f} "
                f"(worst {parity.worst_cosine:.5f}), expected at least {threshold}: nothing was written. "
                f"Choose another exporter{accept}"
            )
        bare = _bare(facts, folder, reference, items)
        if facts is not None and bare is not None and not bare.mean_cosine >= threshold:
            facts = facts._replace(homogeneous=False)
            expect_served(serve, facts)
        made = claims(facts) if facts else []
        routed = has_routes(subject) and exporter.form != "modules"
        runs = getattr(exporter, "routed_encoder", None) if routed else exporter.encoder
        record = {
            "projhead": version("projhead"),
            "exporter": spec_of(exporter),
            "encoder": runs and name_of(runs),
            "teacher": teacher and teacher.record,
            "reducer": reducer,
            "prompts": _prompts(subject),
            "routes": list(SIDES) if routed else None,
            "dimension": int(reference.shape[-1]),
            "parity": parity._asdict(),
            "without_inner_normalize": bare and bare._asdict(),
            "serves": [claim._asdict() for claim in made],
            "items_per_second": _speed(read, items[1::2]),
        }
        whole = Record.of(folder, "export", record).write(folder)
        told = {**record, "bytes": whole.bytes, "files": whole.files}
        (folder / CARD).write_text(card(exporter, told, measured, made), encoding="utf-8")
    written = read_record(path, "export", record)  # through its last name: what is there now is what was measured
    return {**written.body, "bytes": written.bytes}


def _bare(facts: Facts | None, folder: Path, reference: Vectors, items: Sequence[str]) -> Parity | None:
    """Measure modules without any Normalize but the last, as some servers run them, where that is claimed."""
    if facts is None or facts.form != "modules" or not facts.homogeneous:
        return None
    chosen = slice(1, None, 2 * max(len(items) // (2 * _BARE), 1))
    return measure(reference[..., chosen, :], both_sides_of(without_inner_normalize(folder), items[chosen]))


def _prompts(subject: Any) -> dict[str, str] | None:
    """Return what a student puts before queries and documents, where those differ."""
    if not isinstance(subject, SentenceTransformer) or not two_sided(subject):
        return None
    return {side: prompt_of(subject, side) for side in SIDES}


def _speed(read: Callable[[Any], Vectors], items: Any) -> float:
    """Return how many items a second the written files take, on this machine, once warm."""
    started = time.perf_counter()
    read(items)
    return float(len(items) / (time.perf_counter() - started))


def sample_texts(texts: Sequence[str], most: int) -> list[str]:
    """Return at most `most` texts of all lengths: evenly spaced from the shortest to the longest."""
    ordered = sorted(set(texts), key=lambda text: (len(text), text))
    positions = np.unique(np.linspace(0, len(ordered) - 1, min(most, len(ordered))).astype(int))
    return [ordered[position] for position in positions]
