"""Draw README's picture and table from docs/results.

    python scripts/docs/results.py

Both are of the widest teacher in docs/results/retrieval.jsonl: the head beside the best baseline, set by set; the head,
forms of PCA and truncation, the mean of all sets.
"""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd

from projhead.persistence.files import atomic_file
from projhead.report import pictures
from projhead.report.findings import findings
from projhead.report.results import Result, read_results
from projhead.report.rows import frame_of, is_export
from projhead.report.tables import markdown

ROOT = Path(__file__).parents[2]
_MARKS = re.compile(r"(<!-- results -->\n).*?(<!-- /results -->)", re.DOTALL)


def rows_of(folder: Path) -> dict[str, list[Result]]:
    """Return the rows of each benchmark by its name."""
    files = [path for path in sorted(folder.glob("*.jsonl")) if path.stem != "consumers"]  # no numbers: yes or no
    return {path.stem: read_results(path) for path in files}


def losses_first(rows: list[Result]) -> str:
    """Return a table of every subject at every width beside the best baseline, losses on top."""
    frame = frame_of(rows)
    order = {"loss": 0, "level": 1, "gain": 2}
    shown = [(one, row) for one in findings(frame[~is_export(frame)]) for row in one.rows]
    shown.sort(key=lambda pair: (order[pair[1].verdict], pair[0].task, pair[1].width))
    lines = [
        f"| {one.task} | {one.metric} | {row.width} | {row.reducer} | {row.kept} | {row.baseline} {row.baseline_kept} "
        f"| {row.difference} | {row.verdict} |"
        for one, row in shown
    ]
    head = "| task | metric | dimensions | head | kept | best baseline | difference, points | verdict |"
    return "\n".join([head, "|---" * 8 + "|", *lines]) if lines else ""


def results_page(folder: Path) -> str:
    """Return the page of all results: a section for each benchmark, with what was typed."""
    parts = [
        "# Results",
        "Each section is made of the rows of one file of `docs/results`. *Kept* is the metric over the full-width "
        "teacher's, of several seeds the mean and the standard deviation. Losses come first.",
    ]
    for name, rows in rows_of(folder).items():
        commands = sorted({row.command for row in rows if row.command})
        parts += [f"## {name}", "\n".join(f"    {command}" for command in commands), losses_first(rows)]
        tables = markdown(rows).replace("\n### ", "\n#### ")
        parts += ["<details markdown><summary>All tables</summary>", tables.replace("### ", "#### ", 1), "</details>"]
    if len(parts) == 2:
        parts.append("No rows yet: `scripts/quality` writes them. [Tables of the version before](earlier.md).")
    return "\n\n".join(part for part in parts if part) + "\n"


def cost(measured: pd.DataFrame) -> str:
    """Return what the fits took, in words: of one core, so that what else ran does not count."""
    minutes = measured[(measured["role"] == "subject") & (measured["minutes"] > 0)].groupby("n_components")["minutes"]
    each = ", ".join(f"{took:.1f} ({width})" for width, took in minutes.mean().items())
    return f"Minutes of one core for a fit, by dimensions: {each}."


def widest(rows: list[Result]) -> list[Result]:
    """Return the rows of the teacher of most dimensions."""
    encoder = max(rows, key=lambda row: row.n_components).encoder
    return [row for row in rows if row.encoder == encoder]


def readme_table(rows: list[Result]) -> str:
    """Return the heads of one teacher beside the best baselines, set by set."""
    frame = frame_of(rows)
    frame = frame[~is_export(frame)]
    seeds = frame.loc[frame["role"] == "subject", "seed"].nunique()
    said = (
        f"Retention, {rows[0].encoder}, {frame.loc[frame['role'] == 'reference', 'n_components'].max()} dimensions in "
        f"full, {seeds} seed{'s' * (seeds > 1)}; the best baseline is chosen on the test. {cost(frame)}"
    )
    return f"{said}\n\n{losses_first(rows)}"


_DRAWN = {"learned": "subject", "pca_uncentered": "baseline", "pca": "baseline", "truncation": "baseline"}


def means(rows: list[Result]) -> pd.DataFrame:
    """Return the mean retention of all sets and seeds: series, n_components, kept_value."""
    frame = frame_of(rows)
    frame = frame[~is_export(frame) & ~frame["paired"] & (frame["metric"] == "ndcg@10")]
    return frame.groupby(["series", "n_components"])["kept_value"].mean().reset_index()


def picture(frame: pd.DataFrame) -> str:
    """Return retention against dimensions as SVG, each line named at its end."""
    looks = pictures.styles(_DRAWN)
    with pictures.panel((6.4, 3.2)) as (figure, axes):
        widths = sorted(frame.loc[frame["series"] == "learned", "n_components"].unique())
        for name, look in looks.items():
            line = frame[(frame["series"] == name) & frame["n_components"].isin(widths)].sort_values("n_components")
            axes.plot(line["n_components"], line["kept_value"], color=look.color, marker=look.marker,
                      linewidth=2.4 if look.front else 1.3, label=name.replace("learned", "projhead"))  # fmt: skip
        axes.set_xscale("log", base=2)
        axes.set_xticks(widths, [str(width) for width in widths])
        axes.minorticks_off()
        axes.set_xlabel("dimensions")
        axes.set_ylabel("of the teacher's nDCG@10")
        axes.yaxis.set_major_formatter(lambda share, _: f"{share:.0%}")
        axes.legend(frameon=False, loc="lower right")
        return pictures.svg(figure, "white")  # pages may be dark


def main() -> None:
    """Draw what there are rows for."""
    found, readme = widest(read_results(ROOT / "docs" / "results" / "retrieval.jsonl")), ROOT / "README.md"
    with atomic_file(ROOT / "docs" / "results" / "retention.svg") as temporary:
        temporary.write_text(picture(means(found)), encoding="utf-8")
    table, text = readme_table(found), readme.read_text(encoding="utf-8")
    with atomic_file(readme) as temporary:
        temporary.write_text(_MARKS.sub(lambda mark: f"{mark[1]}{table}\n{mark[2]}", text), encoding="utf-8")


if __name__ == "__main__":
    main()
