"""Draw encoding speed against quality, with the hardware's limit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pandas as pd

from projhead.report.pictures import BLUE, GREY, MARKERS, ORANGE, Picture, Style, panel, svg
from projhead.report.rows import metric_name

_SIZE = (8.2, 3.9)  # inches
_SPEED = "texts_per_second"
#: What is kept, the first that was measured: of the full-width teacher's neighbors, or of the float32 student's.
_KEPT = ("teacher_overlap_at_10", "overlap_at_10")


def legend(frame: pd.DataFrame) -> dict[str, Style]:
    """Return how each export that is drawn looks: projhead's orange, other tools', of several words, blue."""
    looks: dict[str, Style] = {}
    for _, found in _panels(frame):
        for name, task in found.dropna()["task"].items():
            color = BLUE if " " in task else ORANGE
            alike = sum(look.color == color for look in looks.values())
            looks.setdefault(str(name), Style(color, MARKERS[alike % len(MARKERS)]))
    return looks


def by_speed(frame: pd.DataFrame, looks: Mapping[str, Style]) -> Iterator[Picture]:
    """Yield a panel per teacher: texts per second against the neighbors kept; a line where only speed is known."""
    for teacher, found in _panels(frame):
        points, limits = found.dropna(), found[found["kept"].isna()]["speed"]
        with panel(_SIZE) as (figure, axes):
            for name, speed in limits.items():
                axes.axvline(speed, color=GREY, linewidth=1, linestyle=(0, (5, 3)), zorder=1)
                axes.annotate(
                    name, (speed, 0.02), (-4, 0), xycoords=("data", "axes fraction"), textcoords="offset points",
                    rotation=90, ha="right", va="bottom", color=GREY, fontsize=8,
                )  # fmt: skip
            for name, point in points.iterrows():
                axes.plot(
                    point["speed"], point["kept"], linestyle="none", color=looks[name].color, zorder=3,
                    marker=looks[name].marker, markersize=8, markeredgecolor="white", markeredgewidth=0.6,
                )  # fmt: skip
            axes.set_xscale("log")
            axes.margins(x=0.06, y=0.12)
            axes.xaxis.set_major_formatter(lambda speed, _: f"{speed:,.0f}")
            axes.xaxis.set_minor_formatter(lambda speed, _: f"{speed:,.0f}" if f"{speed:.0e}"[0] in "25" else "")
            axes.set_xlabel("texts per second")
            axes.yaxis.set_major_formatter(lambda share, _: f"{share:.0%}")
            words = [f"{name} {row['speed']:,.0f} texts/s, {row['kept']:.1%}" for name, row in points.iterrows()]
            words += [f"{name} {speed:,.0f} texts/s" for name, speed in limits.items()]
            title = f"{teacher}: {metric_name(found.attrs['metric'])} against texts per second"
            yield Picture(title, svg(figure), f"{title}. " + "; ".join(words) + ".")


def _panels(frame: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    """Yield a teacher and its exports' ``speed`` and ``kept``, where two have both."""
    for teacher, rows in frame.groupby("teacher", sort=False):
        tasks = rows["task"].str.removeprefix("export/")
        widths = (
            rows["n_components"].groupby(tasks).transform("nunique")
        )  # one name at several widths is several exports
        names = tasks.where(widths == 1, tasks + ", " + rows["n_components"].astype(str) + " dimensions")
        table = rows.assign(name=names).pivot_table(index="name", columns="metric", values="value", sort=False)
        metric = next((one for one in _KEPT if one in table), None)
        if metric is None or _SPEED not in table:
            continue
        task = dict(zip(names, tasks, strict=True))
        found = pd.DataFrame({"speed": table[_SPEED], "kept": table[metric], "task": table.index.map(task)})
        found = found.dropna(subset="speed")
        found.attrs["metric"] = metric
        if len(found.dropna()) > 1:
            yield str(teacher), found
