"""Draw quality against bytes of a vector, for widths and codes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd

from projhead.report.pictures import GREY, INK, MARKERS, Picture, Style, panel, points, styles, svg
from projhead.report.rows import family, leading, metric_name, roles_of

_SIZE = (8.2, 4.8)  # inches
_PANEL = ["teacher", "task", "metric"]
_FRONT = "#f3dcc9"
#: Of codecs on the teacher's own rows, beside those of reducers.
_CODECS = ("#009e73", "#7a4fb0", "#b3446c", "#7f4a21", "#e69f00", "#cc79a7", "#3f7f5f", "#8a8f98")
#: How far apart, in doublings, the first and the last line have what takes the same bytes.
_SPREAD = 0.22
#: What lies so far below the most that any method keeps at the fewest bytes is out of the picture.
_DEPTH = 0.25


class Legend(NamedTuple):
    """Colors of reducers, and markers of codecs, the same in every panel.

    A codec has a color too, which it wears on the teacher's own rows: most lines are of those.
    """

    colors: dict[str, Style]
    markers: dict[str, Style]


def legend(frame: pd.DataFrame) -> Legend:
    """Return how each reducer and each kind of codec that is drawn looks."""
    rows = _shown(frame)
    teacher, families = rows["role"] == "reference", list(dict.fromkeys(rows["codec"].map(family)))
    colors = {name: Style(INK, "") for name in dict.fromkeys(rows.loc[teacher, "reducer"])}
    colors |= {name: look._replace(marker="") for name, look in styles(roles_of(rows[~teacher])).items()}
    coded = dict.fromkeys(rows.loc[teacher & (rows["codec"] != "float32"), "codec"].map(family))
    own = {name: _CODECS[i % len(_CODECS)] for i, name in enumerate(coded)}
    markers = {name: Style(own.get(name, GREY), MARKERS[i % len(MARKERS)]) for i, name in enumerate(families)}
    return Legend(colors, markers)


def by_bytes(frame: pd.DataFrame, looks: Legend) -> Iterator[Picture]:
    """Yield a panel per teacher, task and metric: retention against bytes per vector, with intervals.

    The metric is the task's leading one, and for retrieval recall@10 too.

    A line is a reducer and a kind of codec: over widths, or over a codec's own sizes at one width. Of the baselines
    the best is drawn, in float32 where that was measured: the tables have them all.
    """
    shown = _shown(frame)
    several = shown["teacher"].nunique() > 1
    for (teacher, task, metric), rows in shown.groupby(_PANEL, sort=False):
        title = f"{task}, {metric_name(metric)}" + (f", {teacher}" if several else "")
        lines = dict(_lines(rows))
        yield Picture(title, _draw(lines, looks), _words(title, lines))


def _shown(frame: pd.DataFrame) -> pd.DataFrame:
    """Keep the metrics and reducers that are drawn."""
    values = frame[~frame["paired"]]
    rows = pd.concat([leading(values), values[values["metric"] == "recall@10"]]).dropna(subset="kept_value")
    return rows.groupby(_PANEL, sort=False, group_keys=False)[list(rows.columns)].apply(_without_lesser)


def _without_lesser(rows: pd.DataFrame) -> pd.DataFrame:
    baselines = rows[rows["role"] == "baseline"]
    plain = baselines[baselines["codec"] == "float32"]
    baselines = plain if len(plain) else baselines
    best = baselines.groupby("reducer")["kept_value"].mean().idxmax() if len(baselines) else ""
    return rows[(rows["reducer"] == best) | (rows["role"] != "baseline")]


class Key(NamedTuple):
    """What a line is of: a reducer, a kind of codec, and a width, 0 where it varies."""

    reducer: str
    kind: str
    width: int
    role: str


def _lines(rows: pd.DataFrame) -> Iterator[tuple[Key, pd.DataFrame]]:
    """Yield retention by bytes for each line."""
    rows, roles = rows.assign(family=rows["codec"].map(family)), roles_of(rows)
    ends, order = ["kept_value", "kept_low", "kept_high"], list(roles)
    for (reducer, kind), part in sorted(rows.groupby(["reducer", "family"]), key=lambda one: order.index(one[0][0])):
        sized = (part.groupby("bytes_per_vector")["n_components"].nunique() > 1).any()
        for width, line in part.groupby("n_components") if sized else [(0, part)]:
            # Runs that differ only in their seed make one point.
            yield Key(reducer, kind, int(width), roles[reducer]), line.groupby("bytes_per_vector")[ends].mean()


def _draw(lines: Mapping[Key, pd.DataFrame], looks: Legend) -> str:
    with panel(_SIZE) as (figure, axes):
        axes.axhline(1, color=GREY, linewidth=1, linestyle=(0, (5, 3)), zorder=1)
        values = pd.concat([line["kept_value"] for line in lines.values()])
        best = values.groupby(level=0).max().sort_index().cummax()
        # The most that any method keeps at no more bytes.
        axes.step(best.index, best, where="post", color=_FRONT, linewidth=7, zorder=1.5, solid_joinstyle="round")
        for place, ((reducer, kind, width, role), line) in enumerate(lines.items()):
            color, marker = looks.colors[reducer].color, looks.markers[kind].marker
            if role == "reference" and kind != "float32":
                color = looks.markers[kind].color
            order = {"baseline": 2, "reference": 3, "subject": 4}[role]
            # Side by side: intervals do not hide each other.
            x = line.index.to_numpy() * 2.0 ** (_SPREAD * (place / max(len(lines) - 1, 1) - 0.5))
            axes.vlines(x, line["kept_low"], line["kept_high"], color=color, linewidth=0.8, alpha=0.25, zorder=order)
            axes.plot(x, line["kept_value"], color=color, linewidth=2 if role == "subject" else 1.1, zorder=order)
            name = f"{reducer}{f' {width}-d' if width else ''}, {kind}"
            points(axes, x, line, name, "bytes", color=color, marker=marker, zorder=order)
        sizes = sorted({size for line in lines.values() for size in line.index})
        axes.set_xscale("log", base=2)
        ticks = [2**power for power in range(int(np.log2(sizes[0])), int(np.log2(sizes[-1])) + 2)]
        axes.set_xticks(ticks, [str(tick) for tick in ticks])
        axes.set_xlim(sizes[0] * 0.85, sizes[-1] * 1.18)
        axes.minorticks_off()
        lowest, highest = max(values.min(), best.iloc[0] - _DEPTH), max(values.max(), 1.0)
        axes.set_ylim(lowest - 0.02, highest + 0.04)
        axes.set_xlabel("bytes per vector")
        axes.yaxis.set_major_formatter(lambda share, _: f"{share:.0%}")
        return svg(figure)


def _words(title: str, lines: Mapping[Key, pd.DataFrame]) -> str:
    parts = [
        f"{reducer}{f' {width}-d' if width else ''}, {kind} "
        + ", ".join(f"{share:.1%} at {size}" for size, share in line["kept_value"].items())
        for (reducer, kind, width, _), line in lines.items()
    ]
    return f"Retention against bytes per vector on {title}. " + "; ".join(parts) + "."
