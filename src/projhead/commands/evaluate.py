"""``projhead evaluate``: artifacts and exported students on tasks, beside the teacher and every PCA form."""

from __future__ import annotations

from hydra.utils import instantiate
from omegaconf import DictConfig

from projhead.commands.run_folder import run_folder
from projhead.console.fitted import fitted
from projhead.encoders.coded import Calibration
from projhead.evaluation.compare import compare
from projhead.evaluation.growth import growth_of
from projhead.evaluation.measurements import paths_of
from projhead.persistence.files import atomic_file
from projhead.persistence.ours import expect_ours
from projhead.protocols import Corpus
from projhead.report.results import expect_rows


def run(cfg: DictConfig) -> float:
    """Measure, print and save; return the mean of what was asked for over all tasks and metrics."""
    folder = run_folder()
    expect_ours(folder, "an evaluation", ours=(folder / "results.jsonl").is_file())
    expect_rows(folder / "results.jsonl")
    corpus: Corpus | None = instantiate(cfg.calibration)
    found = compare(
        [*paths_of(cfg.artifact), *paths_of(cfg.exported)],
        list(instantiate(cfg.task, _convert_="all").values()),
        teacher=instantiate(cfg.encoder),
        codecs=list(instantiate(cfg.codecs).values()),
        calibration=None if corpus is None else Calibration.of(corpus),
        stores=cfg.paths.stores,
        growth=growth_of(cfg.others, list(cfg.sizes), engine=instantiate(cfg.get("engine")), show_progress=True),
        show_progress=True,
    )
    found.save(folder / "results.jsonl")
    with atomic_file(folder / "tables.md") as temporary:
        temporary.write_text(f"{found}\n", encoding="utf-8")
    print(fitted(f"\n{found}") + f"\n\nrows: {folder / 'results.jsonl'}")
    return found.mean()
