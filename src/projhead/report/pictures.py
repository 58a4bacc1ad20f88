"""Draw result rows and training curves as reproducible SVG."""

from __future__ import annotations

import html
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from projhead.report.rows import leading, metric_name
from projhead.report.tables import number

INK, GREY, _GRID = "#22272e", "#6b7280", "#e5e7eb"
ORANGE, BLUE = "#d55e00", "#0072b2"
#: Okabe and Ito, "Color Universal Design", 2008: told apart by color-blind readers too.
_COLORS = {
    "learned": ORANGE,
    "pca": BLUE,
    "pca_uncentered": "#56b4e9",
    "pca_whitened": "#009e73",
    "pca_power": "#e69f00",
    "autoencoder": "#7a4fb0",
    "random_projection": "#cc79a7",
    "truncation": "#8a8f98",
}
_OTHERS = ("#000000", "#7f4a21", "#3f7f5f", "#b3446c")
MARKERS = "os^DvPX<>hpd8*H"
_PANEL, _BARS = (3.9, 2.75), 3.9  # inches
_LONGEST_NAME = 32
#: Before the words of a point, in the id that matplotlib writes.
_POINT = "point: "


class Picture(NamedTuple):
    """One panel: a title, the drawing, and what it shows in words."""

    title: str
    svg: str
    alt: str


class Style(NamedTuple):
    """How a series is drawn, everywhere on the page; in front, what is asked about."""

    color: str
    marker: str
    front: bool = False


def styles(series: Mapping[str, str]) -> dict[str, Style]:
    """Return a style for each series, of which the roles are given: the known reducers always look the same."""
    free = [name for name in series if name not in _COLORS]
    colors = _COLORS | {name: _OTHERS[i % len(_OTHERS)] for i, name in enumerate(free)}
    markers = {name: MARKERS[i % len(MARKERS)] for i, name in enumerate([*_COLORS, *free])}
    return {name: Style(colors[name], markers[name], role == "subject") for name, role in series.items()}


def retention(frame: pd.DataFrame, looks: Mapping[str, Style]) -> Iterator[Picture]:
    """Yield a panel per teacher and task: its leading metric's retention against dimensions, with intervals."""
    shown = leading(frame[~frame["paired"]]).dropna(subset="kept_value")
    several = shown["teacher"].nunique() > 1
    for (teacher, task), rows in shown.groupby(["teacher", "task"], sort=False):
        reduced = rows[~rows["full"]]
        if reduced.empty:
            continue
        full = sorted(set(rows.loc[rows["full"], "n_components"]))
        title = f"{task}, {metric_name(rows['metric'].iloc[0])}" + (f", {teacher}" if several else "")
        # Runs that differ only in their seed make one point.
        means = reduced.groupby(["series", "n_components"])[["kept_value", "kept_low", "kept_high"]].mean()
        lines = {name: means.loc[name] for name in looks if name in means.index.get_level_values(0)}
        yield Picture(title, _retention_panel(lines, looks, full), _retention_words(title, lines))


def _retention_panel(lines: Mapping[str, pd.DataFrame], looks: Mapping[str, Style], full: list[int]) -> str:
    with panel(_PANEL) as (figure, axes):
        widths = sorted({width for line in lines.values() for width in line.index} | set(full))
        span = np.log2(widths[-1] / widths[0]) or 1.0
        axes.axhline(1, color=GREY, linewidth=1, linestyle=(0, (5, 3)), zorder=1)
        for place, (name, line) in enumerate(lines.items()):
            # Side by side, so that intervals do not hide each other.
            x = line.index.to_numpy() * 2.0 ** (0.012 * span * (place - (len(lines) - 1) / 2))
            thick, order = (2.2, 4) if looks[name].front else (1.3, 3)
            color = looks[name].color
            axes.vlines(x, line["kept_low"], line["kept_high"], color=color, linewidth=thick, alpha=0.65, zorder=order)
            axes.plot(x, line["kept_value"], color=color, linewidth=thick, zorder=order)
            points(axes, x, line, name, "dimensions", color=color, marker=looks[name].marker, zorder=order)
        axes.set_xscale("log", base=2)
        axes.set_xlim(widths[0] / 2 ** (0.09 * span), widths[-1] * 2 ** (0.09 * span))
        axes.set_xticks(widths, _sparse(widths, span), minor=False)
        axes.minorticks_off()
        axes.set_xlabel("dimensions")
        axes.yaxis.set_major_formatter(lambda share, _: f"{share:.0%}")
        return svg(figure)


def _sparse(widths: Sequence[int], span: float) -> list[str]:
    """Label ticks from the widest down, leaving out those that would run into their neighbor."""
    labels: list[str] = []
    last = np.inf
    for width in reversed(widths):
        free = np.log2(last / width) > 0.11 * span
        labels.append(str(width) if free else "")
        last = width if free else last
    return labels[::-1]


def _retention_words(title: str, lines: Mapping[str, pd.DataFrame]) -> str:
    parts = [
        f"{name} " + ", ".join(f"{share:.1%} at {width}" for width, share in line["kept_value"].items())
        for name, line in lines.items()
    ]
    return f"Retention against dimensions on {title}. " + "; ".join(parts) + "."


def training(curves: Mapping[str, pd.DataFrame], looks: Mapping[str, Style]) -> Iterator[Picture]:
    """Yield a panel per logged quantity against steps, a line per run."""
    names = dict.fromkeys(name for curve in curves.values() for name in curve.columns if name not in ("epoch", "step"))
    for name in sorted(names, key=lambda name: (not name.startswith("val/"), name)):
        lines = {run: curve.set_index("step")[name].dropna() for run, curve in curves.items() if name in curve.columns}
        lines = {run: line for run, line in lines.items() if not line.empty}
        if not lines:
            continue
        with panel(_PANEL) as (figure, axes):
            for run, line in lines.items():
                one = {"marker": "o", "markersize": 4} if len(line) == 1 else {}
                axes.plot(line.index, line, color=looks[run].color, linewidth=1.7, **one)
            axes.set_xlabel("step")
            axes.margins(x=0.03, y=0.08)
            parts = [f"{run} from {number(line.iloc[0])} to {number(line.iloc[-1])}" for run, line in lines.items()]
            yield Picture(name, svg(figure), f"{name} against training steps: " + "; ".join(parts) + ".")


def exports(frame: pd.DataFrame) -> Iterator[Picture]:
    """Yield a panel per quantity measured of exported files: bars from zero, cosines as points near one."""
    several = frame["teacher"].nunique() > 1
    for metric, rows in frame.groupby("metric", sort=False):
        labels = [
            f"{row.task.removeprefix('export/')}, {row.n_components}-d" + (f", {row.teacher}" if several else "")
            for row in rows.itertuples()
        ]
        values, places = rows["value"].to_numpy(), np.arange(len(rows))[::-1]
        words = [number(value) for value in values]
        with panel((_BARS, 0.75 + 0.34 * len(rows)), grid=False) as (figure, axes):
            if values.min() > 0.5 and values.max() <= 1:
                axes.plot(values, places, linestyle="none", marker="o", markersize=7, color=BLUE)
                axes.set_xlim(right=1 + 0.6 * (1.0001 - values.min()))
                axes.margins(x=0.12)
                axes.axvline(1, color=GREY, linewidth=1, linestyle=(0, (5, 3)), zorder=1)
            else:
                axes.barh(places, values, height=0.62, color=BLUE)
                axes.set_xlim(min(values.min(), 0), max(values.max(), 0) * 1.28 or 1)
            for value, place, word in zip(values, places, words, strict=True):
                axes.annotate(word, (value, place), (7, 0), textcoords="offset points", va="center")
            axes.set_yticks(places, [_short(label) for label in labels])
            axes.set_ylim(-0.6, len(rows) - 0.4)
            axes.set_xticks([])
            axes.spines["bottom"].set_visible(False)
            alt = ", ".join(f"{label} {word}" for label, word in zip(labels, words, strict=True))
            yield Picture(metric_name(str(metric)), svg(figure), f"{metric_name(str(metric))} of exports: {alt}.")


def points(axes: Any, x: Sequence[float], line: pd.DataFrame, name: str, unit: str, **look: Any) -> None:
    """Draw a line's points, each of which says its value and interval where it is pointed at."""
    for place, (size, kept) in zip(x, line.iterrows(), strict=True):
        words = f"{name}, {size} {unit}: {kept.kept_value:.1%} [{kept.kept_low:.1%}, {kept.kept_high:.1%}]"
        axes.plot(
            [place], [kept.kept_value], linestyle="none", markersize=5.5, markeredgecolor="white", markeredgewidth=0.6,
            gid=f"{_POINT}{words}", **look,
        )  # fmt: skip


def swatch(style: Style | None) -> str:
    """Draw a legend's sample of a series, the teacher's dashed line where there is no style."""
    with panel((0.42, 0.17), bare=True) as (figure, axes):
        if style is None:
            axes.plot([0, 2], [0, 0], color=GREY, linewidth=1, linestyle=(0, (5, 3)))
        else:
            axes.plot([0, 2], [0, 0], color=style.color, linewidth=1.8)
            axes.plot([1], [0], color=style.color, marker=style.marker, markersize=6.5, markeredgecolor="white")
        return svg(figure)


@contextmanager
def panel(size: tuple[float, float], *, grid: bool = True, bare: bool = False) -> Iterator[tuple[Any, Any]]:
    """Yield a figure with one empty pair of axes in the page's look.

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    """
    try:
        import matplotlib as mpl
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError("pictures need matplotlib: pip install 'projhead[report]'") from error
    look: Any = {
        "svg.fonttype": "none", "svg.hashsalt": "projhead", "text.parse_math": False, "font.size": 9.5,
        "axes.facecolor": "none", "font.family": ["sans-serif"], "font.sans-serif": ["DejaVu Sans"],
        "text.color": INK, "axes.labelcolor": GREY, "axes.edgecolor": "#c3c8cf", "axes.spines.top": False,
        "axes.spines.right": False, "axes.spines.left": not grid, "axes.axisbelow": True, "axes.grid": grid,
        "axes.grid.axis": "y", "grid.color": _GRID, "xtick.color": "#c3c8cf", "ytick.color": "#c3c8cf",
        "xtick.labelcolor": INK, "ytick.labelcolor": INK, "ytick.major.size": 0, "axes.xmargin": 0.05,
    }  # fmt: skip
    with mpl.rc_context(look):
        figure = Figure(size, layout=None if bare else "constrained")
        axes = figure.add_axes((0, 0, 1, 1)) if bare else figure.add_subplot()
        if bare:
            axes.set_axis_off()
            axes.set_ylim(-1, 1)
        yield figure, axes


def svg(figure: Any, ground: str = "none") -> str:
    """Return a figure as an SVG element without fixed size, ids of groups or dates, on a ground of some color."""
    file = io.StringIO()
    figure.patch.set_facecolor(ground)
    figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    drawing = file.getvalue()
    drawing = drawing[drawing.index("<svg") :]
    drawing = re.sub(r"\s*<metadata>.*?</metadata>|<style.*?</style>", "", drawing, flags=re.DOTALL)
    drawing = re.sub(rf'<g id="{_POINT}([^"]*)">', r"<g><title>\1</title>", drawing)
    drawing = re.sub(r'<g id="[^"]*"', "<g", drawing)
    return re.sub(r'(<svg[^>]*?) width="[^"]*" height="[^"]*"|(<svg[^>]*?) height="[^"]*"', r"\1\2", drawing, count=1)


def labeled(picture: Picture) -> str:
    """Return a picture's SVG with its words, for those who cannot see it."""
    return picture.svg.replace("<svg", f'<svg role="img" aria-label="{html.escape(picture.alt)}"', 1)


def _short(name: str) -> str:
    return name if len(name) <= _LONGEST_NAME else name[: _LONGEST_NAME - 1] + "…"
