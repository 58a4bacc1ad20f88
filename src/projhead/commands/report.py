"""``projhead report``: result rows to Markdown and one HTML page."""

from __future__ import annotations

from pathlib import Path

from omegaconf import DictConfig

from projhead.evaluation.measurements import paths_of
from projhead.report.gather import gather
from projhead.report.page import write_report


def run(cfg: DictConfig) -> int:
    """Write the report; return the number of rows in it."""
    rows, curves = gather(paths_of(cfg.results))
    page = write_report(rows, curves, Path(cfg.out), overwrite=cfg.overwrite)
    print(f"{len(rows)} result rows; open {page}")
    return len(rows)
