"""Each subject at each width beside the best baseline."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import pandas as pd

from projhead.report.results import Result
from projhead.report.rows import leading, metric_name

_SAME = ["n_components", "reducer", "codec", "index"]


class Row(NamedTuple):
    """A subject at one width, of all its seeds.

    Attributes
    ----------
    width, reducer, baseline : int, str, str
    kept, baseline_kept : str
        Percent of the teacher's metric; of several seeds the mean and the standard deviation.
    difference : str
        In points of that, with its paired 95% interval; of several seeds the means of all three.
    verdict : str
        ``"gain"`` or ``"loss"`` where the interval of every seed is on that side of zero, else ``"level"``.
    """

    width: int
    reducer: str
    kept: str
    baseline: str
    baseline_kept: str
    difference: str
    verdict: str


class Finding(NamedTuple):
    """One measurement: the tasks that gave the very same numbers, the metric, and a row for each width."""

    task: str
    metric: str
    rows: list[Row]


def findings(measured: pd.DataFrame) -> list[Finding]:
    """Return what was found on each task by its leading metric, for rows of `frame_of` without exports."""
    found: dict[tuple[str, tuple[Row, ...]], list[str]] = {}
    rows = leading(measured).dropna(subset="kept_value")
    several = rows["teacher"].nunique() > 1
    for (teacher, task), part in rows.groupby(["teacher", "task"], sort=False):
        key = metric_name(part["metric"].iloc[0]), tuple(_rows(part))
        if key[1]:
            found.setdefault(key, []).append(f"{task}, {teacher}" if several else str(task))
    return [Finding(", ".join(tasks), metric, list(shown)) for (metric, shown), tasks in found.items()]


def _rows(task: pd.DataFrame) -> Iterator[Row]:
    values = task[~task["paired"]]
    subjects = task[task["paired"] & (task["role"] == "subject")]
    for (width, reducer, codec, index), differences in subjects.groupby(_SAME):
        alike = values[(values[_SAME[0]] == width) & (values["codec"] == codec) & (values["index"] == index)]
        own = alike[alike["reducer"] == reducer]
        others = alike[alike["reducer"].isin(set(differences["baseline"]))].drop_duplicates(["reducer", "seed"])
        if own.empty or others.empty:
            continue
        best = others.groupby("reducer")["kept_value"].mean().idxmax()
        stored = f", {codec}" if codec != "float32" else ""
        yield Row(
            int(width), f"{reducer}{stored}", _mean(own["kept_value"]), str(best),
            _mean(others.loc[others["reducer"] == best, "kept_value"]), _points(differences), _verdict(differences),
        )  # fmt: skip


def _mean(shares: pd.Series) -> str:
    spread = f" ± {100 * shares.std():.1f}" if len(shares) > 1 and shares.std() > 0 else ""
    return f"{shares.mean():.1%}{spread}"


def _points(differences: pd.DataFrame) -> str:
    value, low, high = (100 * differences[f"kept_{end}"].mean() for end in ("value", "low", "high"))
    return f"{value:+.1f} [{low:+.1f}, {high:+.1f}]"


def _verdict(differences: pd.DataFrame) -> str:
    if (differences["low"] > 0).all():
        return "gain"
    return "loss" if (differences["high"] < 0).all() else "level"


def retention_at(rows: Sequence[Result], width: int, metric: str = "ndcg@10") -> dict[str, float]:
    """Return the share of the teacher's metric that the best subject, and the best baseline, keep in float32."""
    values = [row for row in rows if row.metric == metric and row.codec == "float32" and not row.baseline]
    full = next(row.value for row in values if row.role == "reference")
    at_width = [row for row in values if row.n_components == width]
    return {role: max(row.value / full for row in at_width if row.role == role) for role in ("subject", "baseline")}
