"""``projhead budget``: what so many rows would take in every form, and what each keeps of the teacher."""

from __future__ import annotations

import sys

from hydra.utils import instantiate
from omegaconf import DictConfig

from projhead.commands.run_folder import run_folder
from projhead.evaluation.budget import budget
from projhead.evaluation.measurements import paths_of
from projhead.evaluation.sample import sample_of
from projhead.persistence.files import atomic_file
from projhead.persistence.ours import expect_ours
from projhead.store.store import EmbeddingStore


def run(cfg: DictConfig) -> float:
    """Print the table, the recommended form on top; return what it is estimated to keep."""
    print("budget is now plan, which also weighs PCA and heads; budget goes with the next release", file=sys.stderr)
    folder = run_folder()
    expect_ours(folder, "a budget", ours=(folder / "budget.md").is_file())
    sample = sample_of(
        instantiate(cfg.encoder) if cfg.store is None else EmbeddingStore.open(cfg.store),
        instantiate(cfg.corpus) if cfg.store is None else None,
        queries=cfg.queries.path,
        max_rows=cfg.max_rows,
        n_queries=cfg.n_queries,
        stores=cfg.paths.stores,
    )
    found = budget(
        sample,
        rows=cfg.rows,
        memory=str(cfg.memory),
        recall=cfg.recall,
        codecs=list(instantiate(cfg.codecs).values()),
        reducers=paths_of(cfg.artifact),
    )
    print(f"\n{found}\n\n{found.verdict}")
    with atomic_file(folder / "budget.md") as temporary:
        temporary.write_text(f"{found}\n", encoding="utf-8")
    return found.best.estimated
