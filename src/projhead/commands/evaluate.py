"""``projhead evaluate``: artifacts and exported students on tasks, beside the teacher and every PCA form."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from hydra.utils import instantiate
from omegaconf import DictConfig
from tqdm import tqdm

from projhead.codecs.cast import Cast
from projhead.commands.run_folder import run_folder
from projhead.encoders.coded import Calibration, Coded
from projhead.encoders.load import load_encoder
from projhead.encoders.precomputed import Precomputed
from projhead.encoders.reduced import Reduced
from projhead.evaluation.candidates import Candidate, paths_of, result_rows, teacher_of
from projhead.evaluation.results import Result, append_results, expect_rows
from projhead.persistence.ours import expect_ours
from projhead.protocols import Codec, Corpus, Encoder, Task
from projhead.reducers.base import load_reducer
from projhead.report.tables import markdown
from projhead.store.cached import Cached

#: Called with a reducer's name, its seed and what encodes; measures it with every codec.
Measure = Callable[[str, int, Encoder], list[Candidate]]


def run(cfg: DictConfig) -> float:
    """Measure, print and save; return the mean of what was asked for over all tasks and metrics."""
    folder = run_folder()
    expect_ours(folder, "an evaluation", ours=(folder / "results.jsonl").is_file())
    expect_rows(folder / "results.jsonl")
    tasks = list(instantiate(cfg.task, _convert_="all").values())
    artifacts, exports = paths_of(cfg.artifact), paths_of(cfg.exported)
    codecs: list[Codec] = list(instantiate(cfg.codecs).values())
    corpus: Corpus | None = instantiate(cfg.calibration)
    calibration = None if corpus is None else _calibration(corpus)
    encoder: Encoder = instantiate(cfg.encoder)
    rows = evaluate(encoder, tasks, artifacts, exports, Path(cfg.paths.stores), codecs, calibration)
    append_results(folder / "results.jsonl", rows)
    tables = markdown(rows)
    (folder / "tables.md").write_text(tables + "\n", encoding="utf-8")
    print(f"\n{tables}\n\nrows: {folder / 'results.jsonl'}")
    teacher, *subjects = [row for row in rows if not row.baseline]
    asked = [row.value for row in subjects if row.reducer != teacher.reducer and not row.reducer.startswith("pca")]
    return float(np.mean(asked or [row.value for row in rows if row.reducer == teacher.reducer]))


def _calibration(corpus: Corpus) -> Calibration:
    return Calibration(corpus.name, [document.text for document in corpus.documents("train")])


def evaluate(
    encoder: Encoder,
    tasks: Sequence[Task],
    artifacts: Sequence[Path],
    exports: Sequence[Path],
    stores: Path,
    codecs: Sequence[Codec] = (),
    calibration: Calibration | None = None,
) -> list[Result]:
    """Return the result rows of the teacher, each artifact with its baselines, and each export.

    All are measured in float32, whose numbers the others are compared with, with every codec that can store
    rows of their width, and heads that were trained through a codec with that one, PCA beside them in an untrained
    one of its kind.
    """
    teacher = encoder if isinstance(encoder, Precomputed) else Cached(encoder, stores, show_progress=True)
    own = [load_reducer(artifact).codec_ for artifact in artifacts]
    named = {codec.name: codec for codec in (Cast("float32"), *codecs, *own) if codec is not None}
    subjects: list[tuple[str, Callable[[Measure], list[Candidate]]]] = [
        ("teacher", lambda measure: measure("teacher", 0, teacher))
    ]
    subjects += [(str(path), lambda measure, path=path: _artifact(path, teacher, measure)) for path in artifacts]  # type: ignore[misc]
    subjects += [(str(path), lambda measure, path=path: _export(path, stores, measure)) for path in exports]  # type: ignore[misc]

    def measure(name: str, seed: int, subject: Encoder) -> list[Candidate]:
        found = []
        trained_with = subject.fitted.codec_ if isinstance(subject, Reduced) else None
        pairs = [(codec, False) for codec in named.values()] + (
            [(trained_with, True)] if trained_with is not None else []
        )
        for codec, trained in pairs:
            try:
                coded = Coded(subject, codec, calibration, trained=trained)
            except ValueError as error:
                tqdm.write(f"left out: {name} at {subject.dimension} dimensions, as {error}")
                continue
            samples = [sample for task in tasks for sample in task.run(coded, teacher)]
            found.append(
                Candidate(
                    name, subject.dimension, seed, samples, codec=coded.stored, bytes_per_vector=coded.bytes_per_vector
                )
            )
        return found

    systems: list[Candidate] = []
    for name, systems_of in (bar := tqdm(subjects, desc="evaluate", unit="system")):
        bar.set_postfix_str(name[-40:])
        systems += _distinct(systems_of(measure), systems)
    return result_rows(systems, teacher_of(encoder))


def _artifact(path: Path, teacher: Encoder, measure: Measure) -> list[Candidate]:
    """Measure an artifact and the baselines that its training run left beside it."""
    reducer = load_reducer(path)
    folders = sorted(folder for folder in (path.parent / "baselines").glob("*") if (folder / "config.json").is_file())
    baselines = [load_reducer(folder) for folder in folders]
    if not any(baseline.kind.startswith("pca") for baseline in baselines):
        raise FileNotFoundError(
            f"{path.parent / 'baselines'}: expected the PCA forms that 'train' writes beside its artifact; "
            "keep the run's folder together"
        )
    seed = int(getattr(reducer, "random_state", 0))
    others = [
        system
        for baseline in baselines
        if baseline.kind != reducer.kind
        for system in measure(baseline.kind, seed, Reduced(teacher, baseline))
    ]
    own = measure(reducer.kind, seed, Reduced(teacher, reducer))
    if not reducer.kind.startswith("pca"):
        pca = [system for system in others if system.reducer.startswith("pca")]
        own = [replace(system, baselines=[one for one in pca if _stored_alike(one, system)]) for system in own]
    return [*own, *others]


def _stored_alike(baseline: Candidate, system: Candidate) -> bool:
    """Say whether the codec is the same; a trained one is compared with one of its kind that is not."""
    name, _, fitted_to = system.codec.partition(" (")
    return baseline.codec.partition(" (")[0] == name if fitted_to == "trained)" else baseline.codec == system.codec


def _export(path: Path, stores: Path, measure: Measure) -> list[Candidate]:
    """Measure an exported student, which encodes by itself."""
    student = load_encoder(path)
    return measure(f"export:{path.name}", 0, Cached(student, stores, show_progress=True))


def _distinct(new: Sequence[Candidate], known: Sequence[Candidate]) -> list[Candidate]:
    """Drop systems measured already (baselines that runs share), and tell apart those that only look alike."""
    kept = []
    for system in new:
        like = [old for old in known if _key(old) == _key(system)]
        if any(_same(system, old) for old in like):  # of another seed too: PCA has no use for one
            continue
        twins = [old for old in like if old.seed == system.seed]
        name = f"{system.reducer} #{len(twins) + 1}" if twins else system.reducer
        kept.append(replace(system, reducer=name))
    return kept


def _key(system: Candidate) -> tuple[str, int, str]:
    """Return what systems that may be the same have in common; the number of a twin is no part of a name."""
    return system.reducer.split(" #")[0], system.n_components, system.codec


def _same(one: Candidate, other: Candidate) -> bool:
    pairs = zip(one.samples, other.samples, strict=True)
    return all(np.array_equal(a.items, b.items) for a, b in pairs)
