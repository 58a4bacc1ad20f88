"""What a vector's bytes buy, however they are spent: on dimensions or on codes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd

from projhead.report.pictures import GREY, INK, MARKERS, Picture, Style, panel, styles, svg
from projhead.report.rows import family, is_baseline, leading, metric_name, rank

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
    reducers, families = set(rows["reducer"]), list(dict.fromkeys(rows["codec"].map(family)))
    looks = styles([name for name in reducers if name != "teacher"])
    colors = {"teacher": Style(INK, "")} if "teacher" in reducers else {}
    colors |= {name: look._replace(marker="") for name, look in looks.items()}
    coded = dict.fromkeys(rows.loc[(rows["reducer"] == "teacher") & (rows["codec"] != "float32"), "codec"].map(family))
    own = {name: _CODECS[i % len(_CODECS)] for i, name in enumerate(coded)}
    markers = {name: Style(own.get(name, GREY), MARKERS[i % len(MARKERS)]) for i, name in enumerate(families)}
    return Legend(colors, markers)


def by_bytes(frame: pd.DataFrame, looks: Legend) -> Iterator[Picture]:
    """Yield a panel per teacher, task and metric: retention against bytes per vector, with intervals.

    The metric is the task's leading one, and for retrieval recall@10 too.

    A line is a reducer and a kind of codec: over widths, or over a codec's own sizes at one width. Of the PCA forms
    the best is drawn (in float32 where that was measured), of the other baselines none: the tables have them all.
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
    pca = rows[rows["reducer"].str.startswith("pca")]
    plain = pca[pca["codec"] == "float32"]
    pca = plain if len(plain) else pca
    best = pca.groupby("reducer")["kept_value"].mean().idxmax() if len(pca) else ""
    return rows[(rows["reducer"] == best) | ~rows["reducer"].map(is_baseline)]


Key = tuple[str, str, int]


def _lines(rows: pd.DataFrame) -> Iterator[tuple[Key, pd.DataFrame]]:
    """Yield ((reducer, kind of codec, width or 0 where it varies), retention by bytes) for each line."""
    rows = rows.assign(family=rows["codec"].map(family))
    ends = ["kept_value", "kept_low", "kept_high"]
    for (reducer, kind), part in sorted(rows.groupby(["reducer", "family"]), key=lambda one: rank(one[0][0])):
        sized = (part.groupby("bytes_per_vector")["n_components"].nunique() > 1).any()
        for width, line in part.groupby("n_components") if sized else [(0, part)]:
            # Runs that differ only in their seed make one point.
            yield (reducer, kind, int(width)), line.groupby("bytes_per_vector")[ends].mean()


def _draw(lines: Mapping[Key, pd.DataFrame], looks: Legend) -> str:
    with panel(_SIZE) as (figure, axes):
        axes.axhline(1, color=GREY, linewidth=1, linestyle=(0, (5, 3)), zorder=1)
        values = pd.concat([line["kept_value"] for line in lines.values()])
        best = values.groupby(level=0).max().sort_index().cummax()
        # The most that any method keeps at no more bytes.
        axes.step(best.index, best, where="post", color=_FRONT, linewidth=7, zorder=1.5, solid_joinstyle="round")
        for place, ((reducer, kind, _), line) in enumerate(lines.items()):
            color, marker = looks.colors[reducer].color, looks.markers[kind].marker
            if reducer == "teacher" and kind != "float32":
                color = looks.markers[kind].color
            order = 2 if is_baseline(reducer) else 4 if reducer == "learned" else 3
            # Side by side: intervals do not hide each other.
            x = line.index.to_numpy() * 2.0 ** (_SPREAD * (place / max(len(lines) - 1, 1) - 0.5))
            axes.vlines(x, line["kept_low"], line["kept_high"], color=color, linewidth=0.8, alpha=0.25, zorder=order)
            axes.plot(
                x, line["kept_value"], color=color, linewidth=2 if reducer == "learned" else 1.1, marker=marker,
                markersize=6,
                markeredgecolor="white", markeredgewidth=0.6, zorder=order,
            )  # fmt: skip
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
        for (reducer, kind, width), line in lines.items()
    ]
    return f"Retention against bytes per vector on {title}. " + "; ".join(parts) + "."
