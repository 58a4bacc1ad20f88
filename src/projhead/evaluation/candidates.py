"""Turn what tasks measured into result rows, with the differences to the best PCA."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path

from projhead.data import Scores
from projhead.evaluation.bootstrap import Estimate, bootstrap, paired_bootstrap
from projhead.evaluation.results import Result
from projhead.protocols import Encoder
from projhead.reducers.artifact import Teacher


@dataclass(frozen=True)
class Candidate:
    """Something that was measured.

    Attributes
    ----------
    reducer, n_components, seed : str, int, int
        As in a result row.
    samples : sequence of Sample
        One per task and metric, in the same order for every system.
    baselines : sequence of Candidate
        The PCA forms fitted to the same vectors at the same width, stored alike.
    codec, bytes_per_vector : str, int
        How documents were stored, and in what room; four bytes a dimension where that is not given.
    """

    reducer: str
    n_components: int
    seed: int
    samples: Sequence[Scores]
    baselines: Sequence[Candidate] = ()
    codec: str = "float32"
    bytes_per_vector: int | None = None


def teacher_of(encoder: Encoder) -> Teacher:
    """Return what an artifact records of the encoder its vectors came from."""
    return Teacher(encoder.name, encoder.revision, encoder.dimension)


@cache
def commit() -> str:
    """Return projhead's version, with the commit where it runs from a checkout."""
    top = Path(__file__).parents[3]
    if not (top / "conf").is_dir():
        return version("projhead")
    try:
        command = ["git", "-C", str(top), "describe", "--always", "--dirty"]
        found = subprocess.run(command, capture_output=True, text=True, timeout=10).stdout.strip()
    except (OSError, subprocess.TimeoutExpired):
        found = ""
    return f"{version('projhead')}+{found}" if found else version("projhead")


def result_rows(systems: Sequence[Candidate], teacher: Teacher) -> list[Result]:
    """Return a row per system and sample, and a row per sample for each system minus its best rival."""

    def row(system: Candidate, sample: Scores, estimate: Estimate, baseline: str = "") -> Result:
        return Result(
            task=sample.task, metric=sample.metric, **estimate._asdict(), reducer=system.reducer,
            n_components=system.n_components, n=len(sample.items), encoder=teacher.name, revision=teacher.revision,
            baseline=baseline, codec=system.codec, seed=system.seed, commit=commit(),
            bytes_per_vector=system.bytes_per_vector or 4 * system.n_components,
        )  # fmt: skip

    rows = [row(system, sample, bootstrap(sample)) for system in systems for sample in system.samples]
    for system in systems:
        for position, sample in enumerate(system.samples):
            if system.baselines:
                # Chosen on the very numbers compared, which favors PCA.
                best = max(system.baselines, key=lambda baseline: bootstrap(baseline.samples[position]).value)
                rows.append(row(system, sample, paired_bootstrap(sample, best.samples[position]), best.reducer))
    return rows


def paths_of(value: object) -> list[Path]:
    """Return a setting that is one path or a list of paths as a list."""
    values = [value] if isinstance(value, str) else list(value or [])  # type: ignore[call-overload]
    return [Path(str(path)) for path in values]
