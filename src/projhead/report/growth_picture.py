"""Draw retention against the size of the corpus."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pandas as pd

from projhead.report.pictures import GREY, Picture, Style, panel, points, svg
from projhead.report.rows import leading, metric_name

_PANEL = (3.9, 2.75)  # inches
#: What ends the name of a task whose corpus has a size.
_SIZE = r", [\d,]+ documents$"


def by_size(frame: pd.DataFrame, looks: Mapping[str, Style]) -> Iterator[Picture]:
    """Yield a panel per teacher, set and width: its leading metric's retention against documents, with intervals."""
    shown = frame[(frame["documents"] > 0) & ~frame["paired"] & ~frame["full"]]
    shown = leading(shown).dropna(subset="kept_value")
    several = shown["teacher"].nunique() > 1
    sets = shown["task"].str.replace(_SIZE, "", regex=True)
    for (teacher, name, width), rows in shown.groupby(["teacher", sets, "n_components"], sort=False):
        title = f"{name}, {metric_name(rows['metric'].iloc[0])}, {width} dimensions" + (
            f", {teacher}" if several else ""
        )
        means = rows.groupby(["series", "documents"])[["kept_value", "kept_low", "kept_high"]].mean()
        lines = {one: means.loc[one] for one in looks if one in means.index.get_level_values(0)}
        if any(len(line) > 1 for line in lines.values()):
            yield Picture(title, _drawn(lines, looks), _words(title, lines))


def _drawn(lines: Mapping[str, pd.DataFrame], looks: Mapping[str, Style]) -> str:
    with panel(_PANEL) as (figure, axes):
        axes.axhline(1, color=GREY, linewidth=1, linestyle=(0, (5, 3)), zorder=1)
        for place, (name, line) in enumerate(lines.items()):
            # Side by side, so that intervals do not hide each other.
            x = line.index.to_numpy() * 1.012 ** (place - (len(lines) - 1) / 2)
            thick, order = (2.2, 4) if looks[name].front else (1.3, 3)
            color = looks[name].color
            axes.vlines(x, line["kept_low"], line["kept_high"], color=color, linewidth=thick, alpha=0.65, zorder=order)
            axes.plot(x, line["kept_value"], color=color, linewidth=thick, zorder=order)
            points(axes, x, line, name, "documents", color=color, marker=looks[name].marker, zorder=order)
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter(lambda size, _: f"{size:,.0f}")  # text in SVG knows no powers of ten
        axes.xaxis.set_minor_formatter(lambda size, _: f"{size:,.0f}" if f"{size:.0e}"[0] == "3" else "")
        axes.set_xlabel("documents")
        axes.yaxis.set_major_formatter(lambda share, _: f"{share:.0%}")
        return svg(figure)


def _words(title: str, lines: Mapping[str, pd.DataFrame]) -> str:
    parts = [
        f"{name} " + ", ".join(f"{share:.1%} at {size:,}" for size, share in line["kept_value"].items())
        for name, line in lines.items()
    ]
    return f"Retention against documents on {title}. " + "; ".join(parts) + "."
