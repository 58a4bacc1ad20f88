"""One table for the runs of a sweep, with seeds as mean and deviation."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from projhead.report.results import read_results
from projhead.report.tables import over_seeds

#: Settings and folder of a run.
Job = tuple[Sequence[str], Path]


def together(jobs: Sequence[Job]) -> str:
    """Return the retention that runs wrote, a table for each combination of settings but the seed's.

    Runs that wrote no results are passed over.
    """
    written = [(overrides, folder / "results.jsonl") for overrides, folder in jobs]
    written = [(overrides, file) for overrides, file in written if file.is_file()]
    if len(written) < 2:
        return ""
    shared = set.intersection(*(set(overrides) for overrides, _ in written))
    alike: dict[str, list[Path]] = {}
    for overrides, file in written:
        varied = [one for one in overrides if one not in shared and not one.startswith("seed=")]
        alike.setdefault(" ".join(varied), []).append(file)
    parts = []
    for settings, files in alike.items():
        runs = f"{len(files)} run{'s' * (len(files) > 1)}"
        parts.append(f"{settings or 'all'} ({runs}), retention:")
        parts.append(over_seeds([row for file in files for row in read_results(file)]))
    return "\n\n".join(parts)
