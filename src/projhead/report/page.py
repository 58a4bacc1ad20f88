"""One static HTML page of everything measured; it needs no network."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path
from statistics import fmean
from typing import Any

import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from projhead.persistence.files import atomic_file
from projhead.persistence.ours import expect_ours
from projhead.report import bytes_picture, growth_picture, pictures, speed_picture
from projhead.report.findings import findings
from projhead.report.results import Result
from projhead.report.rows import frame_of, is_export, roles_of, several_codecs
from projhead.report.tables import Table, markdown, tables

#: By which a page is known as ours.
_GENERATOR = '<meta name="generator" content="projhead">'
_NUMBER = re.compile(r"[+-]?[\d,]*\.?\d+")


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
    grown = pictures.styles(roles_of(measured[(measured["documents"] > 0) & ~measured["full"]], "series"))
    looks = pictures.styles(roles_of(plain[~plain["full"]], "series"))
    storable = measured[(measured["bytes_per_vector"] > 0) & (measured["documents"] == 0)]
    stored = measured[:0] if plain[~plain["full"]].empty else storable
    marks = bytes_picture.legend(stored)
    speeds = speed_picture.legend(exported)
    runs = pictures.styles(dict.fromkeys(curves, "subject"))
    sections = groupby(tables(frame), key=lambda table: table.section)
    script = (Path(__file__).parent / "tables.js").read_text(encoding="utf-8")
    teachers = frame[["encoder", "fingerprint"]].drop_duplicates().to_dict("records")
    return {
        "teachers": list(dict.fromkeys(frame["encoder"])),
        "reduced": not measured.empty,
        "findings": findings(measured),
        "retention": [_drawn(picture) for picture in pictures.retention(plain[plain["documents"] == 0], looks)],
        "growth": [_drawn(picture) for picture in growth_picture.by_size(measured, grown)],
        "grown": [(name, Markup(pictures.swatch(look))) for name, look in [*grown.items(), ("teacher", None)]],
        "series": [(name, Markup(pictures.swatch(look))) for name, look in [*looks.items(), ("teacher", None)]],
        "coded": several_codecs(measured),
        "storage": [_drawn(picture) for picture in bytes_picture.by_bytes(stored, marks)],
        "reducers": [(name, Markup(pictures.swatch(look))) for name, look in marks.colors.items()],
        "codecs": [(name, Markup(pictures.swatch(look))) for name, look in marks.markers.items()],
        "training": [_drawn(picture) for picture in pictures.training(curves, runs)],
        "runs": [(name, Markup(pictures.swatch(look._replace(marker="")))) for name, look in runs.items()],
        "speed": [_drawn(picture) for picture in speed_picture.by_speed(exported, speeds)],
        "timed": [(name, Markup(pictures.swatch(look))) for name, look in speeds.items()],
        "exports": [_drawn(picture) for picture in pictures.exports(exported)],
        "sections": [(section, [(table, _marked(table)) for table in found]) for section, found in sections],
        "script": Markup(script),
        "digest": base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        "provenance": teachers,
        "commits": list(dict.fromkeys(frame["commit"])),
        "seeds": sorted(set(frame["seed"])),
        "rows": len(frame),
    }


def _marked(table: Table) -> list[set[int]]:
    """Return which columns of each row are bold: none of differences, sizes and speeds."""
    values = table.title.startswith(("Values", "Retention"))
    return _best(table) if values else [set() for _ in table.rows]


def _drawn(picture: pictures.Picture) -> tuple[str, Markup]:
    return picture.title, Markup(pictures.labeled(picture))


def _best(table: Table) -> list[set[int]]:
    """Return the columns in which each row has the best mean of its size, without the teacher."""
    size = table.header.index("bytes" if "bytes" in table.header else "dimensions")
    named = [number for number, name in enumerate(table.header[: table.keys]) if name != "seed"]
    others = [number for number, role in enumerate(table.roles) if role != "reference"]
    best: list[set[int]] = [set() for _ in table.rows]
    for column in range(table.keys, len(table.header)):
        values: dict[str, dict[tuple[str, ...], list[float]]] = {}  # of each size, by what a row is of
        for number in others:
            if found := _NUMBER.match((row := table.rows[number])[column]):
                one = tuple(row[place] for place in named)
                values.setdefault(row[size], {}).setdefault(one, []).append(float(found[0].replace(",", "")))
        means = {size: {one: fmean(seeds) for one, seeds in group.items()} for size, group in values.items()}
        for number in others:
            row = table.rows[number]
            group, one = means.get(row[size], {}), tuple(row[place] for place in named)
            if len(group) > 1 and group.get(one) == max(group.values()):
                best[number].add(column)
    return best


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
