"""``projhead evaluate``: artifacts and exported students on tasks, beside the teacher and every PCA form."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from hydra.utils import instantiate
from omegaconf import DictConfig
from tqdm import tqdm

from projhead.commands.measure import System, paths_of, result_rows, teacher_of
from projhead.commands.run_folder import run_folder
from projhead.encoders.cached import Cached
from projhead.encoders.exported import load_student
from projhead.encoders.precomputed import Precomputed
from projhead.encoders.reduced import Reduced
from projhead.protocols import Encoder, Sample, Task
from projhead.reducers.base import load_reducer
from projhead.report.tables import markdown
from projhead.results import Result, append_results

Measure = Callable[[Encoder], list[Sample]]


def run(cfg: DictConfig) -> float:
    """Measure, print and save; return the mean of what was asked for over all tasks and metrics."""
    folder = run_folder()
    tasks = list(instantiate(cfg.task, _convert_="all").values())
    artifacts, exports = paths_of(cfg.artifact), paths_of(cfg.exported)
    rows = evaluate(instantiate(cfg.encoder), tasks, artifacts, exports, Path(cfg.paths.stores))
    append_results(folder / "results.jsonl", rows)
    tables = markdown(rows)
    (folder / "tables.md").write_text(tables + "\n", encoding="utf-8")
    print(f"\n{tables}\n\nrows: {folder / 'results.jsonl'}")
    teacher, *subjects = [row for row in rows if not row.baseline]
    asked = [row.value for row in subjects if row.reducer != teacher.reducer and not row.reducer.startswith("pca")]
    return float(np.mean(asked or [row.value for row in rows if row.reducer == teacher.reducer]))


def evaluate(
    encoder: Encoder, tasks: Sequence[Task], artifacts: Sequence[Path], exports: Sequence[Path], stores: Path
) -> list[Result]:
    """Return the result rows of the teacher, each artifact with its baselines, and each export."""
    teacher = encoder if isinstance(encoder, Precomputed) else Cached(encoder, stores, show_progress=True)
    subjects: list[tuple[str, Callable[[Measure], list[System]]]] = [
        ("teacher", lambda measure: [System("teacher", encoder.dimension, 0, measure(teacher))])
    ]
    subjects += [(str(path), lambda measure, path=path: _artifact(path, teacher, measure)) for path in artifacts]  # type: ignore[misc]
    subjects += [(str(path), lambda measure, path=path: [_export(path, stores, measure)]) for path in exports]  # type: ignore[misc]

    def measure(subject: Encoder) -> list[Sample]:
        return [sample for task in tasks for sample in task.run(subject, teacher)]

    systems: list[System] = []
    for name, systems_of in (bar := tqdm(subjects, desc="evaluate", unit="system")):
        bar.set_postfix_str(name[-40:])
        systems += _distinct(systems_of(measure), systems)
    return result_rows(systems, teacher_of(encoder))


def _artifact(path: Path, teacher: Encoder, measure: Measure) -> list[System]:
    """Measure an artifact and the baselines that its training run left beside it."""
    reducer = load_reducer(path)
    folders = sorted(folder for folder in (path.parent / "baselines").glob("*") if (folder / "config.json").is_file())
    rivals = [load_reducer(folder) for folder in folders]
    if not any(rival.kind.startswith("pca") for rival in rivals):
        raise FileNotFoundError(
            f"{path.parent / 'baselines'}: expected the PCA forms that 'train' writes beside its artifact; "
            "keep the run's folder together"
        )
    seed = int(getattr(reducer, "random_state", 0))
    measured = [
        System(rival.kind, rival.n_components, seed, measure(Reduced(teacher, rival)))
        for rival in rivals
        if rival.kind != reducer.kind
    ]
    pca = [system for system in measured if system.reducer.startswith("pca")]
    own = System(reducer.kind, reducer.n_components, seed, measure(Reduced(teacher, reducer)), pca)
    return [
        own if not own.reducer.startswith("pca") else System(own.reducer, own.n_components, seed, own.samples),
        *measured,
    ]


def _export(path: Path, stores: Path, measure: Measure) -> System:
    """Measure an exported student, which encodes by itself."""
    student = load_student(path)
    return System(f"export:{path.name}", student.dimension, 0, measure(Cached(student, stores, show_progress=True)))


def _distinct(new: Sequence[System], known: Sequence[System]) -> list[System]:
    """Drop systems measured already (baselines that runs share), and tell apart those that only look alike."""
    kept = []
    for system in new:
        twins = [old for old in known if (old.reducer, old.n_components, old.seed) == _key(system)]
        if any(_same(system, twin) for twin in twins):
            continue
        name = f"{system.reducer} #{len(twins) + 1}" if twins else system.reducer
        kept.append(System(name, system.n_components, system.seed, system.samples, system.rivals))
    return kept


def _key(system: System) -> tuple[str, int, int]:
    return system.reducer, system.n_components, system.seed


def _same(one: System, other: System) -> bool:
    pairs = zip(one.samples, other.samples, strict=True)
    return all(np.array_equal(a.items, b.items) for a, b in pairs)
