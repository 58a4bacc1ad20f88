"""One static page of everything measured; it needs no network and no script."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from projhead.persistence.files import atomic_file
from projhead.persistence.ours import expect_ours
from projhead.report import bytes_picture, pictures, speed_picture
from projhead.report.results import Result
from projhead.report.rows import frame_of, is_export, leading, metric_name, roles_of, several_codecs
from projhead.report.tables import markdown, tables

#: By which a page is known as ours.
_GENERATOR = '<meta name="generator" content="projhead">'


class Finding(NamedTuple):
    """A head against the best baseline on one task, at the fewest dimensions where both were measured."""

    task: str
    metric: str
    width: int
    reducer: str
    value: str
    baseline: str
    baseline_value: str
    difference: str
    verdict: str


def write_report(
    results: Sequence[Result], curves: Mapping[str, Path], folder: Path, *, overwrite: bool = False
) -> Path:
    """Write ``index.html`` and ``tables.md`` into `folder`.

    Parameters
    ----------
    results : sequence of Result
        What is shown.
    curves : mapping of a run's name to the ``metrics.csv`` that Lightning's logger wrote of it
    folder : path
        Made where there is none.
    overwrite : bool
        Write into a folder that holds something else than an older report.

    Returns
    -------
    Path
        The page.

    Raises
    ------
    FileExistsError
        If the folder holds something else, and may not be written over.
    ValueError
        If there are no rows, or a file of curves is not one.
    ImportError
        If matplotlib is missing.
    """
    expect_ours(folder, "a report", ours=_is_report(folder), overwrite=overwrite)
    frame = frame_of(results)
    here = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    page = here.get_template("page.html.jinja").render(_contents(frame, _read_curves(curves)))
    for name, text in (("tables.md", markdown(results) + "\n"), ("index.html", page)):
        with atomic_file(folder / name) as temporary:
            temporary.write_text(text, encoding="utf-8")
    return folder / "index.html"


def _is_report(folder: Path) -> bool:
    page = folder / "index.html"
    return page.is_file() and _GENERATOR in page.read_text(encoding="utf-8", errors="replace")


def _contents(frame: pd.DataFrame, curves: Mapping[str, pd.DataFrame]) -> dict[str, Any]:
    """Return what the template shows."""
    measured, exported = frame[~is_export(frame)], frame[is_export(frame)]
    # Where codecs are compared, dimensions are shown without them.
    plain = measured[measured["codec"] == "float32"] if several_codecs(measured) else measured
    looks = pictures.styles(roles_of(plain[~plain["full"]], "series"))
    stored = measured if several_codecs(measured) else measured[:0]
    marks = bytes_picture.legend(stored)
    speeds = speed_picture.legend(exported)
    runs = pictures.styles(dict.fromkeys(curves, "subject"))
    sections = groupby(tables(frame), key=lambda table: table.section)
    teachers = frame[["encoder", "revision"]].drop_duplicates().to_dict("records")
    return {
        "teachers": list(dict.fromkeys(frame["encoder"])),
        "reduced": not measured.empty,
        "findings": list(_findings(measured)),
        "retention": [_drawn(picture) for picture in pictures.retention(plain, looks)],
        "series": [(name, Markup(pictures.swatch(look))) for name, look in [*looks.items(), ("teacher", None)]],
        "storage": [_drawn(picture) for picture in bytes_picture.by_bytes(stored, marks)],
        "reducers": [(name, Markup(pictures.swatch(look))) for name, look in marks.colors.items()],
        "codecs": [(name, Markup(pictures.swatch(look))) for name, look in marks.markers.items()],
        "training": [_drawn(picture) for picture in pictures.training(curves, runs)],
        "runs": [(name, Markup(pictures.swatch(look._replace(marker="")))) for name, look in runs.items()],
        "speed": [_drawn(picture) for picture in speed_picture.by_speed(exported, speeds)],
        "timed": [(name, Markup(pictures.swatch(look))) for name, look in speeds.items()],
        "exports": [_drawn(picture) for picture in pictures.exports(exported)],
        "sections": [(section, list(found)) for section, found in sections],
        "provenance": teachers,
        "commits": list(dict.fromkeys(frame["commit"])),
        "seeds": sorted(set(frame["seed"])),
        "rows": len(frame),
    }


def _drawn(picture: pictures.Picture) -> tuple[str, Markup]:
    return picture.title, Markup(pictures.labeled(picture))


def _findings(measured: pd.DataFrame) -> Iterator[Finding]:
    rows = leading(measured).sort_values("n_components", kind="stable")
    for _, task in rows.groupby(["teacher", "task"], sort=False):
        differences = task[task["paired"]]
        if differences.empty:
            continue
        widest = differences[differences["n_components"] == differences["n_components"].min()]
        best = widest.loc[widest["reducer"].idxmin()]
        alike = ["n_components", "codec", "index", "seed"]
        at = task[~task["paired"] & (task[alike] == best[alike]).all(axis=1)]
        own, other = at[at["reducer"] == best["reducer"]], at[at["reducer"] == best["baseline"]]
        if own.empty or other.empty:
            continue
        verdict = "a clear gain" if best["low"] > 0 else "a clear loss" if best["high"] < 0 else "no clear difference"
        yield Finding(
            task=best["task"], metric=metric_name(best["metric"]), width=best["n_components"],
            reducer=best["reducer"], value=_share(own.iloc[0]), baseline=best["baseline"],
            baseline_value=_share(other.iloc[0]), verdict=verdict,
            difference=f"{best['value']:+.3f} [{best['low']:+.3f}, {best['high']:+.3f}]",
        )  # fmt: skip


def _share(row: pd.Series) -> str:
    return f"{row['value']:.3f}" if pd.isna(row["kept_value"]) else f"{row['kept_value']:.1%}"


def _read_curves(curves: Mapping[str, Path]) -> dict[str, pd.DataFrame]:
    found = {}
    for run, path in curves.items():
        try:
            frame = pd.read_csv(path).astype("float64")
        except (ValueError, OSError) as error:  # pandas raises many kinds of ValueError for a damaged file
            raise ValueError(f"{path} cannot be read as training curves: {error}") from error
        if "step" not in frame.columns:
            raise ValueError(
                f"{path}: expected a column 'step', as Lightning's CSVLogger writes, got {list(frame.columns)}"
            )
        found[run] = frame
    return found
