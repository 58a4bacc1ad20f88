"""``projhead plan``: say whether vectors need nothing, bits, PCA or a head at a target."""

from __future__ import annotations

from hydra.utils import instantiate
from omegaconf import DictConfig

from projhead.commands.run_folder import run_folder
from projhead.console.fitted import fitted
from projhead.evaluation.measurements import paths_of
from projhead.evaluation.plan import plan
from projhead.evaluation.sample import sample_of
from projhead.persistence.files import atomic_file
from projhead.persistence.ours import expect_ours
from projhead.store.store import EmbeddingStore


def run(cfg: DictConfig) -> float:
    """Print the verdict with its evidence; return the estimated recall."""
    folder = run_folder()
    expect_ours(folder, "a plan", ours=(folder / "plan.md").is_file())
    sample = sample_of(
        instantiate(cfg.encoder) if cfg.store is None else EmbeddingStore.open(cfg.store),
        instantiate(cfg.corpus) if cfg.store is None else None,
        queries=cfg.queries.path,
        max_rows=cfg.max_rows,
        n_queries=cfg.n_queries,
        stores=cfg.paths.stores,
    )
    found = plan(
        sample,
        instantiate(cfg.target, _convert_="all"),
        rows=cfg.rows,
        memory=str(cfg.memory),
        recall=cfg.recall,
        price_per_dimension=cfg.price_per_dimension,
        price_per_gb=cfg.price_per_gb,
        widths=list(cfg.widths),
        reducers=paths_of(cfg.artifact),
    )
    print(fitted(f"\n{found}"))
    with atomic_file(folder / "plan.md") as temporary:
        temporary.write_text(f"{found}\n\nEvery way, best first:\n\n{found.all_choices}\n", encoding="utf-8")
    print(f"\nevery way: {folder / 'plan.md'}")
    return found.chosen.estimated
