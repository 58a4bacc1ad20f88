"""``projhead evaluate``: artifacts and exported students on tasks, beside the teacher and every PCA form."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from hydra.utils import instantiate
from omegaconf import DictConfig
from tqdm import tqdm

from projhead.commands.measure import System, paths_of, result_rows, teacher_of
from projhead.commands.run_folder import run_folder
from projhead.encoders.cached import Cached
from projhead.encoders.reduced import Reduced
from projhead.protocols import Encoder, Sample, Task
from projhead.reducers.base import Reducer, load_reducer
from projhead.report.tables import markdown
from projhead.results import Result, append_results


def run(cfg: DictConfig) -> float:
    """Measure, print and save; return the mean over tasks and metrics of the first artifact (or the teacher)."""
    folder = run_folder()
    rows = evaluate(
        instantiate(cfg.encoder),
        list(instantiate(cfg.task, _convert_="all").values()),
        paths_of(cfg.artifact),
        paths_of(cfg.exported),
        Path(cfg.paths.stores),
    )
    append_results(folder / "results.jsonl", rows)
    tables = markdown(rows)
    (folder / "tables.md").write_text(tables + "\n", encoding="utf-8")
    print(f"\n{tables}\n\nrows: {folder / 'results.jsonl'}")
    measured = [row.value for row in rows if not row.baseline]
    subject = measured[len(measured) // len({(row.reducer, row.n_components, row.seed) for row in rows}) :] or measured
    return sum(subject) / len(subject)


def evaluate(
    encoder: Encoder, tasks: Sequence[Task], artifacts: Sequence[Path], exports: Sequence[Path], stores: Path
) -> list[Result]:
    """Return the result rows of everything asked for."""
    teacher = Cached(encoder, stores)
    reducers = {path: _checked(load_reducer(path), path, encoder) for path in artifacts}
    work = sum(1 + len(_baselines(path)) for path in artifacts) + len(exports) + 1
    with tqdm(total=work * len(tasks), desc="evaluate", unit="task") as bar:

        def measure(subject: Encoder) -> list[Sample]:
            samples: list[Sample] = []
            for task in tasks:
                samples += task.run(subject, teacher)
                bar.update()
            return samples

        systems = [System("teacher", encoder.dimension, 0, measure(teacher))]
        for path, reducer in reducers.items():
            systems += _artifact_systems(path, reducer, teacher, measure, reducers)
        for path in exports:
            systems.append(_export_system(path, stores, measure))
    return result_rows(systems, teacher_of(encoder))
