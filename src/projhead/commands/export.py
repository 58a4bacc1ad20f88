"""``projhead export``: an artifact and its teacher as one model for stock tools, or the head alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hydra.utils import instantiate
from omegaconf import DictConfig

from projhead.commands.run_folder import asked, run_folder
from projhead.encoders.lifted import expect_none
from projhead.encoders.precomputed import Precomputed
from projhead.encoders.reduced import Reduced
from projhead.evaluation.measurements import export_rows
from projhead.exporters.by_format import export
from projhead.exporters.export import sample_texts
from projhead.exporters.serving import Claim, told
from projhead.persistence.identity import EncoderIdentity
from projhead.protocols import Corpus, Encoder, Exporter
from projhead.reducers.base import load_reducer
from projhead.report.results import append_results, read_results
from projhead.report.tables import markdown
from projhead.students.assemble import assemble


def run(cfg: DictConfig) -> float:
    """Export, measure size and speed, record; return the mean cosine to the fp32 student."""
    exporter: Exporter = instantiate(cfg.export)
    reducer = load_reducer(cfg.artifact)
    by_itself = exporter.encoder is None and hasattr(reducer, "sample_") and not asked("encoder")
    encoder: Encoder | None = None if by_itself else instantiate(cfg.encoder)
    if encoder is not None:
        Reduced(encoder, reducer)  # refuses another teacher's head
    results = Path(cfg.artifact).parent / "results.jsonl"
    expect_none(encoder, "export")
    record = export(
        reducer if exporter.encoder is None else assemble(encoder, reducer),  # type: ignore[arg-type]  # it refuses
        cfg.out,
        format=exporter,
        calibrate=None if encoder is None else _items(cfg, exporter, encoder),
        max_items=cfg.max_texts,
        min_mean_cosine=cfg.min_mean_cosine,
        measured=markdown(read_results(results)) if results.is_file() else "",
        serve=list(cfg.serve),
    )
    unit = "texts" if exporter.encoder else "vectors"
    teacher = encoder.identity if encoder is not None else reducer.teacher_
    teacher = teacher or EncoderIdentity("unknown", "unknown", int(reducer.n_features_in_))
    rows = export_rows(f"export/{Path(cfg.out).name}", unit, record, teacher, int(getattr(reducer, "random_state", 0)))
    append_results(run_folder() / "results.jsonl", rows)
    parity = record["parity"]
    print(
        f"{cfg.out}: {record['bytes'] / 1e6:.1f} MB; over {parity['n']} items the cosine to the fp32 student is "
        f"{parity['mean_cosine']:.5f} on average and {parity['worst_cosine']:.5f} at worst, "
        f"{parity['overlap_at_10']:.1%} of the 10 nearest stay"
    )
    if record["serves"]:
        print(told([Claim(**one) for one in record["serves"]]))
    return float(parity["mean_cosine"])


def _items(cfg: DictConfig, exporter: Exporter, encoder: Encoder) -> Any:
    """Return what calibrates and measures the export: texts, or vectors for a head alone."""
    if exporter.encoder is None and isinstance(encoder, Precomputed):
        return encoder.rows
    corpus: Corpus = instantiate(cfg.corpus)
    texts = [document.text for document in corpus.documents("test")]
    return texts if exporter.encoder else encoder.encode_document(sample_texts(texts, cfg.max_texts))
