"""``projhead load``: a store into a table of a database."""

from __future__ import annotations

from hydra.utils import instantiate
from omegaconf import DictConfig

from projhead.databases.base import Database
from projhead.databases.load import load
from projhead.store.store import EmbeddingStore


def run(cfg: DictConfig) -> float:
    """Load, print times and recall; return the recall (1 without queries)."""
    database: Database = instantiate(cfg.database, _convert_="all")
    loaded = load(
        EmbeddingStore.open(cfg.store),
        database,
        rows=cfg.rows,
        columns=None if cfg.columns is None else list(cfg.columns),
        batch_rows=cfg.batch_rows,
        n_queries=cfg.n_queries,
        show_progress=True,
    )
    speed = f"{loaded.new / max(loaded.seconds, 1e-9):,.0f} rows/s" if loaded.new else "nothing was missing"
    print(
        f"{loaded.rows:,} rows in {database.table} of {database.address}, {loaded.form}\n"
        f"{loaded.new:,} new in {loaded.seconds:.1f} s ({speed}), the index in {loaded.index_seconds:.1f} s"
    )
    if loaded.recall is None:
        return 1.0
    print(f"recall@10 against exact search over float32 rows: {loaded.recall:.3f}")
    return loaded.recall
