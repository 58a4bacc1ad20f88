"""``projhead export``: an artifact and its teacher as one model for stock tools, or the head alone."""

from __future__ import annotations

from pathlib import Path

from hydra.utils import instantiate
from omegaconf import DictConfig

from projhead.commands.asked import asked
from projhead.commands.run_folder import run_folder
from projhead.evaluation.exported import export_artifact, measures_itself
from projhead.protocols import Exporter
from projhead.reducers.base import load_reducer
from projhead.report.results import append_results


def run(cfg: DictConfig) -> float:
    """Export, measure size and speed, record; return the mean cosine to the fp32 student."""
    exporter: Exporter = instantiate(cfg.export)
    reducer = load_reducer(cfg.artifact)
    alone = measures_itself(exporter, reducer) and not asked("encoder")
    exported = export_artifact(
        reducer,
        cfg.out,
        exporter,
        encoder=None if alone else instantiate(cfg.encoder),
        corpus=None if alone else instantiate(cfg.corpus),
        measured=Path(cfg.artifact).parent / "results.jsonl",
        max_items=cfg.max_texts,
        min_mean_cosine=cfg.min_mean_cosine,
        serve=list(cfg.serve),
    )
    append_results(run_folder() / "results.jsonl", exported.rows)
    print(exported)
    return float(exported.record["parity"]["mean_cosine"])
