"""Tables of result rows, for Markdown and for the page."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import pandas as pd
from tabulate import tabulate

from projhead.console.printable import printable
from projhead.report.results import Result
from projhead.report.rows import frame_of, is_export, is_overlap, leading, metric_name, roles_of


class Table(NamedTuple):
    """A table to be shown.

    Attributes
    ----------
    section, title : str
        What the table is of, and what it shows of it.
    header : list of str
    rows : list of list of str
        Cells, as many as the header has.
    roles : list of str
        Of each row: ``"reference"``, ``"subject"`` or ``"baseline"``.
    keys : int
        So many columns say what a row is of; the others are numbers.
    """

    section: str
    title: str
    header: list[str]
    rows: list[list[str]]
    roles: list[str]
    keys: int


def markdown(results: Sequence[Result]) -> str:
    """Return all tables as Markdown.

    Raises
    ------
    ValueError
        If there are no rows.
    """
    parts, section = [], None
    for table in tables(frame_of(results)):
        if table.section != section:
            parts.append(f"### {_markdown_safe(table.section)}")
            section = table.section
        parts.append(_markdown_safe(table.title) + ":")
        parts.append(_github(table))
    return "\n\n".join(parts)


def over_seeds(results: Sequence[Result]) -> str:
    """Return each task's leading metric over the teacher's as Markdown, of several seeds mean and deviation."""
    frame = frame_of(results)
    values = leading(frame[~is_export(frame) & ~frame["paired"]])
    values = _over_seeds(values.assign(column=values["task"] + " " + values["metric"].map(metric_name)))
    return "\n\n".join(_github(table) for table in _table("", "", values, "column", _kept))


def _github(table: Table) -> str:
    rows, header = ([[_markdown_safe(cell) for cell in row] for row in part] for part in (table.rows, [table.header]))
    return str(tabulate(rows, header[0], tablefmt="github", disable_numparse=True))


def tables(frame: pd.DataFrame) -> Iterator[Table]:
    """Yield an overview where there is more than one task, three tables for each task, and the exports."""
    measured = frame[~is_export(frame)]
    for teacher, part in measured.groupby("teacher", sort=False):
        if part["task"].nunique() > 1:
            values = leading(part[~part["paired"]])
            values = values.assign(column=values["task"] + " " + values["metric"].map(metric_name))
            title = _MEAN if values["seed"].nunique() > 1 else _RETENTION
            yield from _table(f"{teacher}: all tasks", title, _over_seeds(_with_mean(values)), "column", _kept)
        for task, rows in part.groupby("task", sort=False):
            section = f"{teacher}: {task} (n = {', '.join(f'{n:,}' for n in rows['n'].unique())})"
            values = rows[~rows["paired"]]
            yield from _table(section, "Values with 95% intervals", values, "name", _value)
            yield from _table(section, _RETENTION, values[~is_overlap(values)], "name", _kept_interval)
            yield from _table(section, _PAIRED, rows[rows["paired"]], "name", _difference)
    for teacher, part in frame[is_export(frame)].groupby("teacher", sort=False):
        yield from _table(f"{teacher}: exports", "Size, speed and parity of the written files", part, "name", _amount)


_HEADS = {"n_components": "dimensions", "task": "export", "bytes_per_vector": "bytes"}
_RETENTION = "Retention: the metric over the full-width teacher's"
_PAIRED = "Difference to the best baseline, paired"
_MEAN = f"{_RETENTION}; of several seeds the mean ± the standard deviation"


def _table(
    section: str, title: str, rows: pd.DataFrame, column: str, cell: Callable[[pd.Series], str]
) -> Iterator[Table]:
    """Pivot rows to reducer and width by metric; yield nothing where there are none to show."""
    rows = rows.assign(name=rows["metric"].map(metric_name), cell=[cell(row) for _, row in rows.iterrows()])
    if not (rows["cell"] != "").any():
        return
    keys, roles = _keys(rows), roles_of(rows)
    pivot = rows.pivot(index=keys, columns=column, values="cell").fillna("")[list(rows[column].unique())]
    pivot = pivot.loc[sorted(pivot.index, key=lambda key: _order(dict(zip(keys, key, strict=True)), roles))]
    header = [_HEADS.get(key, key) for key in keys] + list(pivot.columns)
    shown = [
        [*(str(part).removeprefix("export/") for part in key), *cells]
        for key, cells in zip(pivot.index, pivot.to_numpy().tolist(), strict=True)
    ]
    place = keys.index("reducer")
    yield Table(section, title, header, shown, [roles[key[place]] for key in pivot.index], len(keys))


def _with_mean(rows: pd.DataFrame) -> pd.DataFrame:
    """Add a column for the mean of all tasks, where they share a metric, to what was measured on all of them."""
    if rows["metric"].nunique() > 1:
        return rows
    same = ["reducer", "n_components", "codec", "index", "seed"]
    whole = rows[rows.groupby(same)["column"].transform("nunique") == rows["column"].nunique()]
    means = whole.assign(column="mean", kept_value=whole.groupby(same)["kept_value"].transform("mean"))
    return pd.concat([rows, means.drop_duplicates(same)])


def _over_seeds(rows: pd.DataFrame) -> pd.DataFrame:
    """Return a row for the mean retention of all seeds, with their standard deviation as ``spread``."""
    same = ["reducer", "n_components", "codec", "index", "column"]
    spread = rows.groupby(same)["kept_value"].transform("std")
    mean = rows.groupby(same)["kept_value"].transform("mean")
    return rows.assign(kept_value=mean, spread=spread, seed=0).drop_duplicates(same)


def _keys(rows: pd.DataFrame) -> list[str]:
    """Return what tells rows apart: reducer and width always, the rest where it must."""
    export = ["task"] if is_export(rows).all() else []
    keys = [*export, "reducer", "n_components"]
    keys += [key for key in ("codec", "index", "seed") if (rows.groupby(keys)[key].nunique() > 1).any()]
    if "codec" in keys:  # rows of equal bytes stand together
        keys.insert(keys.index("codec") + 1, "bytes_per_vector")
    return keys


def _order(key: dict[str, str | int], roles: dict[str, str]) -> tuple[object, ...]:
    reducer, size = str(key["reducer"]), int(key.get("bytes_per_vector", 0))
    teacher = roles[reducer] == "reference"
    plain = teacher and key.get("codec", "float32") == "float32"
    place = list(roles).index(reducer)
    return not plain, -size, not teacher, -int(key["n_components"]), place, *(str(value) for value in key.values())


def _value(row: pd.Series) -> str:
    return f"{row['value']:.3f} [{row['low']:.3f}, {row['high']:.3f}]"


def _kept(row: pd.Series) -> str:
    if pd.isna(row["kept_value"]):
        return ""
    # Seeds change nothing in what is not random.
    spread = f" ± {100 * row['spread']:.1f}" if row.get("spread", 0) > 0 else ""
    return f"{row['kept_value']:.1%}{spread}"


def _kept_interval(row: pd.Series) -> str:
    return _kept(row) and f"{_kept(row)} [{row['kept_low']:.1%}, {row['kept_high']:.1%}]"


def _difference(row: pd.Series) -> str:
    return f"{row['value']:+.3f} [{row['low']:+.3f}, {row['high']:+.3f}] to {row['baseline']}"


def _amount(row: pd.Series) -> str:
    return number(row["value"])


def number(value: float) -> str:
    """Write a number of any size: enough digits to tell exports apart, no more."""
    size = abs(value)
    if 0 < size < 1e-3:
        return f"{value:.1e}"
    if 0.9 < size < 1:  # cosines: what is missing to one gets two digits, as far as float32 goes
        return f"{value:.{min(math.ceil(-math.log10(1 - size)) + 1, 7)}f}"
    return f"{value:,.3f}" if size < 10 else f"{value:,.1f}" if size < 1000 else f"{value:,.0f}"


def _markdown_safe(text: str) -> str:
    """Keep a stranger's name from breaking a table, from being HTML, and from ruling the terminal."""
    return printable(text).replace("&", "&amp;").replace("<", "&lt;").replace("|", "\\|")
