"""Export a student, or a head alone, by the name of a format."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from sentence_transformers import SentenceTransformer

from projhead.data import Document
from projhead.errors import UserError
from projhead.exporters.export import sample_texts, write_export
from projhead.exporters.parity import both_sides_of
from projhead.persistence.registry import build
from projhead.protocols import Exporter
from projhead.reducers.base import Reducer
from projhead.settings.options import option
from projhead.students.assemble import origin_of
from projhead.vectors import Vectors, unit_rows


def export(
    subject: SentenceTransformer | Reducer,
    path: str | Path,
    *,
    format: str | Exporter = "onnx",
    quantization: str | None = None,
    calibrate: Any = None,
    max_items: int = 512,
    min_mean_cosine: float | None = None,
    measured: str = "",
    serve: Sequence[str] = (),
    **options: Any,
) -> dict[str, Any]:
    """Export a student for stock tools, or a head alone, and measure the written files; or leave nothing behind.

    Parameters
    ----------
    subject : SentenceTransformer or Reducer
        What `assemble` returned; a fitted reducer for the formats of the head alone.
    path : path
        The folder to write; an older export there is replaced.
    format : str or Exporter
        ``"sentence_transformers"``, ``"onnx"``, ``"openvino"``; ``"head_onnx"``, ``"head_dense"``, ``"head_faiss"``,
        ``"faiss_codes"`` of the head alone; or an exporter of `projhead.exporters`.
    quantization : str, optional
        Of the network's weights, such as ``"int8"``; the format's own default where not given.
    calibrate : sequence of str or Document, or array-like of shape (n, d)
        Real texts of several lengths, vectors for the head alone. Every second one calibrates, the others measure
        parity. Where not given, a head alone is measured on the few vectors that its artifact keeps.
    max_items : int
        Of those are used at most so many, from the shortest to the longest text.
    min_mean_cosine : float, optional
        Parity below which nothing is written; each format has its own.
    measured : str
        Markdown tables of measured quality, for the card.
    serve : sequence of str
        Consumers that must give exactly these rows, such as ``["tei", "vllm"]``, or nothing is written: see
        `projhead.exporters.consumers`.
    **options
        Of the format.

    Returns
    -------
    dict
        The record: parity, size in bytes, items per second, and what was exported.

    Raises
    ------
    FileExistsError
        If `path` is something else than an export.
    UserError
        If there is no such format, quantization of it or consumer, one of `serve` would not give these rows, or the
        subject is of the wrong kind.
    ValueError
        If parity is below the threshold, or there is too little to measure it on.

    Examples
    --------
    >>> from projhead import assemble, export, load_encoder, load_reducer
    >>> student = assemble(load_encoder("all-MiniLM-L6-v2"), load_reducer("all-MiniLM-L6-v2-64"))
    >>> texts = [f"{number} words" + " and more" * number for number in range(40)]
    >>> told = export(student, "student", format="sentence_transformers", calibrate=texts)
    >>> load_encoder("student").encode(texts).shape
    (40, 64)
    """
    if isinstance(format, str):
        given = options if quantization is None else {**options, "quantization": quantization}
        exporter: Exporter = build(option("export", format, **given), "exporter")
    else:
        exporter = format
    title = type(exporter).__name__
    if calibrate is None and exporter.encoder is None and isinstance(subject, Reducer):
        calibrate = subject.kept_sample
    if calibrate is None:
        raise UserError(f"calibrate: expected texts or vectors to measure {title} on, got none")
    if exporter.encoder is None:
        if not isinstance(subject, Reducer):
            raise UserError(f"{title} exports a head alone: expected a reducer, got {type(subject).__name__}")
        if subject.teacher_ is not None and subject.teacher_.longest:
            raise UserError(
                f"{title} exports a head alone, got one for rows that keep their lengths as one more coordinate, which "
                "no tool but projhead makes; export the whole encoder (export=sentence_transformers, onnx, openvino), "
                "or encode with it (projhead encode artifact=...)"
            )
        items: Any = unit_rows(_spread(calibrate, max_items), "calibrate")
        teacher, reducer = subject.teacher_, subject.kind
        reference: Callable[[], Vectors] = partial(subject.transform, items)
    else:
        if not isinstance(subject, SentenceTransformer):
            raise UserError(f"{title} exports a student: expected what assemble returns, got {type(subject).__name__}")
        items = sample_texts([one.text if isinstance(one, Document) else one for one in calibrate], max_items)
        teacher, reducer = origin_of(subject)
        reference = partial(both_sides_of, subject, items)
    return write_export(
        exporter,
        subject,
        Path(path),
        items,
        reference,
        teacher=teacher,
        reducer=reducer,
        min_mean_cosine=min_mean_cosine,
        measured=measured,
        serve=serve,
    )


def _spread(rows: Any, most: int) -> Any:
    chosen = np.linspace(0, len(rows) - 1, min(most, len(rows))).astype(int)
    return np.asarray(rows)[np.unique(chosen)]  # of a memory-mapped file only these are read
