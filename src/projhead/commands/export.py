"""``projhead export``: an artifact and its teacher as one model for stock tools, or the head alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from hydra.utils import instantiate
from omegaconf import DictConfig

from projhead.commands.run_folder import run_folder
from projhead.encoders.precomputed import Precomputed
from projhead.encoders.reduced import Reduced
from projhead.encoders.sentence_transformer import SentenceTransformerEncoder
from projhead.evaluation.measurements import commit
from projhead.exporters.export import export, sample_texts
from projhead.exporters.parity import both_sides
from projhead.persistence.identity import EncoderIdentity
from projhead.protocols import Corpus, Encoder, Exporter
from projhead.reducers.base import Reducer, load_reducer
from projhead.report.results import Result, append_results, read_results
from projhead.report.tables import markdown
from projhead.students.assemble import assemble


def run(cfg: DictConfig) -> float:
    """Export, measure size and speed, record; return the mean cosine to the fp32 student."""
    exporter: Exporter = instantiate(cfg.export)
    reducer = load_reducer(cfg.artifact)
    encoder: Encoder = instantiate(cfg.encoder)
    combined = Reduced(encoder, reducer)  # refuses another teacher's head
    subject, items = _subject(cfg, exporter, encoder, reducer)
    read = both_sides(combined) if exporter.encoder else reducer.transform
    results = Path(cfg.artifact).parent / "results.jsonl"
    record = export(
        exporter,
        subject,
        Path(cfg.out),
        items,
        read(items),
        teacher=encoder.identity,
        reducer=reducer.kind,
        min_mean_cosine=cfg.min_mean_cosine,
        measured=markdown(read_results(results)) if results.is_file() else "",
    )
    unit = "texts" if exporter.encoder else "vectors"
    rows = _rows(f"export/{Path(cfg.out).name}", unit, record, encoder.identity, reducer)
    append_results(run_folder() / "results.jsonl", rows)
    parity = record["parity"]
    print(
        f"{cfg.out}: {record['bytes'] / 1e6:.1f} MB; over {parity['n']} items the cosine to the fp32 student is "
        f"{parity['mean_cosine']:.5f} on average and {parity['worst_cosine']:.5f} at worst, "
        f"{parity['overlap_at_10']:.1%} of the 10 nearest stay"
    )
    return float(parity["mean_cosine"])


def _subject(cfg: DictConfig, exporter: Exporter, encoder: Encoder, reducer: Reducer) -> tuple[Any, Any]:
    """Return what is exported, and what it reads."""
    if exporter.encoder is None and isinstance(encoder, Precomputed):
        chosen = np.linspace(0, len(encoder.rows) - 1, min(cfg.max_texts, len(encoder.rows))).astype(int)
        return reducer, np.asarray(encoder.rows[np.unique(chosen)], np.float32)
    corpus: Corpus = instantiate(cfg.corpus)
    texts = sample_texts([document.text for document in corpus.documents("test")], cfg.max_texts)
    if exporter.encoder is None:
        return reducer, encoder.encode_document(texts)
    if not isinstance(encoder, SentenceTransformerEncoder):
        raise ValueError(
            f"expected a sentence-transformers teacher to put the head in, got {encoder.name}; try export=head_onnx"
        )
    return assemble(encoder.model, reducer, encoder.identity), texts


def _rows(task: str, unit: str, record: dict[str, Any], teacher: EncoderIdentity, reducer: Reducer) -> list[Result]:
    """Return size, speed and parity as result rows."""
    values = {"megabytes": record["bytes"] / 1e6, f"{unit}_per_second": record["items_per_second"]}
    # Rounding puts the cosine of equal rows a hair above one.
    values |= {name: min(value, 1.0) for name, value in record["parity"].items() if name != "n"}
    k = record["dimension"]
    return [
        Result(
            task=task, metric=metric, value=value, low=value, high=value, reducer=reducer.kind, n_components=k,
            n=record["parity"]["n"], encoder=teacher.name, revision=teacher.key, bytes_per_vector=4 * k,
            seed=int(getattr(reducer, "random_state", 0)), commit=commit(),
        )
        for metric, value in values.items()
    ]  # fmt: skip
