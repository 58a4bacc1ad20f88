"""Turn measurements into result rows, with differences to the best baseline."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from projhead.data import Scores
from projhead.evaluation.bootstrap import Estimate, bootstrap, paired_bootstrap
from projhead.persistence.identity import EncoderIdentity
from projhead.report.results import Result, named


@dataclass(frozen=True)
class Measurement:
    """What was measured of a candidate in one codec.

    Attributes
    ----------
    reducer, n_components, seed : str, int, int
        As in a result row.
    scores : sequence of Scores
        One per task and metric, in the same order for every measurement.
    baselines : sequence of Measurement
        Of what it is compared with: fitted to the same vectors, of the same width, stored alike.
    codec, bytes_per_vector, fitted_to : str, int, str
        How documents were stored, in what room (four bytes a dimension where not given), and what the codec was
        fitted to, if not to them.
    role, variant : str, int
        As in a result row.
    """

    reducer: str
    n_components: int
    seed: int
    scores: Sequence[Scores]
    baselines: Sequence[Measurement] = ()
    codec: str = "float32"
    bytes_per_vector: int | None = None
    role: str = "subject"
    fitted_to: str = ""
    variant: int = 1

    def numbered(self, others: Iterable[Measurement]) -> Measurement:
        """Return it with the number that tells it from those of `others` that only look alike."""
        return replace(self, variant=1 + sum(one._looks == self._looks for one in others))

    @property
    def _looks(self) -> tuple[str, int, int, str, str]:
        return self.reducer, self.n_components, self.seed, self.codec, self.fitted_to


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


def result_rows(measurements: Sequence[Measurement], teacher: EncoderIdentity) -> list[Result]:
    """Return a row for each score of each measurement, and one for each difference to its best baseline."""
    known: dict[int, Estimate] = {}

    def estimate(scores: Scores) -> Estimate:
        if id(scores) not in known:
            known[id(scores)] = bootstrap(scores)
        return known[id(scores)]

    def row(one: Measurement, scores: Scores, estimate: Estimate, baseline: str = "") -> Result:
        return Result(
            task=scores.task, metric=scores.metric, **estimate._asdict(), reducer=one.reducer,
            n_components=one.n_components, n=len(scores.items), encoder=teacher.name, fingerprint=teacher.key,
            baseline=baseline, codec=one.codec, seed=one.seed, commit=commit(),
            bytes_per_vector=one.bytes_per_vector or 4 * one.n_components,
            role=one.role, fitted_to=one.fitted_to, variant=one.variant, documents=scores.documents,
        )  # fmt: skip

    rows = [row(one, scores, estimate(scores)) for one in measurements for scores in one.scores]
    for one in measurements:
        for position, scores in enumerate(one.scores):
            if one.baselines:
                # Chosen on the very numbers compared, which favors the baselines.
                best = max(one.baselines, key=lambda baseline: estimate(baseline.scores[position]).value)
                difference = paired_bootstrap(scores, best.scores[position])
                rows.append(row(one, scores, difference, named(best.reducer, best.variant)))
    return rows


def export_rows(task: str, unit: str, record: dict[str, Any], teacher: EncoderIdentity, seed: int) -> list[Result]:
    """Return size, speed and parity of an export as result rows.

    Parameters
    ----------
    task : str
        Such as ``"export/student"``.
    unit : str
        What was read: ``"texts"`` or ``"vectors"``.
    record : dict
        As `projhead.export` returns it.
    teacher : EncoderIdentity
    seed : int
        Of the head's training.
    """
    values = {"megabytes": record["bytes"] / 1e6, f"{unit}_per_second": record["items_per_second"]}
    # Rounding puts the cosine of equal rows a hair above one.
    values |= {name: min(value, 1.0) for name, value in record["parity"].items() if name != "n"}
    k = record["dimension"]
    return [
        Result(
            task=task, metric=metric, value=value, low=value, high=value, reducer=record["reducer"], n_components=k,
            n=record["parity"]["n"], encoder=teacher.name, fingerprint=teacher.key, bytes_per_vector=4 * k,
            seed=seed, commit=commit(),
        )
        for metric, value in values.items()
    ]  # fmt: skip


def paths_of(value: object) -> list[Path]:
    """Return a setting that is one path or a list of paths as a list."""
    return [Path(name) for name in names_of(value)]


def names_of(value: object) -> list[str]:
    """Return a setting that is one path or URL, or a list of them, as a list."""
    values = [value] if isinstance(value, str) else list(value or [])  # type: ignore[call-overload]
    return [str(one) for one in values]
