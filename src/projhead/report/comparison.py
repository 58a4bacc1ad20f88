"""A comparison's result rows: print, plot, convert to a frame."""

from __future__ import annotations

import html
import statistics
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path

import pandas as pd

from projhead.persistence.files import atomic_file
from projhead.report import bytes_picture, pictures
from projhead.report.results import Result, append_results
from projhead.report.rows import frame_of, roles_of, several_codecs
from projhead.report.tables import markdown, tables


class Comparison:
    """Result rows of a comparison.

    Printed it is tables in Markdown, in a notebook tables in HTML.

    Parameters
    ----------
    rows : sequence of Result
    """

    def __init__(self, rows: Sequence[Result]) -> None:
        self.rows = list(rows)

    def __repr__(self) -> str:
        return markdown(self.rows)

    def _repr_html_(self) -> str:
        parts = []
        for section, found in groupby(tables(frame_of(self.rows)), key=lambda table: table.section):
            parts.append(f"<h3>{html.escape(section)}</h3>")
            for table in found:
                frame = pd.DataFrame(table.rows, columns=table.header)
                parts.append(f"<h4>{html.escape(table.title)}</h4>{frame.to_html(index=False)}")
        return "".join(parts)

    def to_pandas(self) -> pd.DataFrame:
        """Return a frame with a row per number; see `projhead.report.rows.frame_of`."""
        return frame_of(self.rows)

    def plot(self) -> Plot:
        """Return what is kept of the teacher's quality by dimensions, and by bytes where codecs were compared.

        Raises
        ------
        ImportError
            If matplotlib is missing.
        """
        frame = frame_of(self.rows)
        plain = frame[frame["codec"] == "float32"] if several_codecs(frame) else frame
        looks = pictures.styles(roles_of(plain[~plain["full"]], "series"))
        drawn = list(pictures.retention(plain, looks))
        legend = {name: pictures.swatch(look) for name, look in looks.items()}
        if several_codecs(frame):
            marks = bytes_picture.legend(frame)
            drawn += bytes_picture.by_bytes(frame, marks)
            legend |= {name: pictures.swatch(look) for name, look in marks.markers.items()}
        return Plot(drawn, legend)

    def mean(self) -> float:
        """Return the mean value of the subjects over all tasks and metrics, of the teacher where there are none."""
        values = [row for row in self.rows if not row.baseline and row.role != "baseline"]
        asked = [row.value for row in values if row.role == "subject"]
        return statistics.fmean(asked or [row.value for row in values])

    def save(self, path: str | Path) -> None:
        """Append the rows that are not there yet to a jsonl file, of which ``projhead report`` makes a page."""
        append_results(Path(path), self.rows, once=True)


class Plot:
    """Pictures with their legend; a notebook shows them.

    Parameters
    ----------
    pictures : sequence of Picture
    legend : dict of name to SVG
    """

    def __init__(self, pictures: Sequence[pictures.Picture], legend: dict[str, str]) -> None:
        self.pictures, self.legend = list(pictures), legend

    def _repr_html_(self) -> str:
        return "".join(self._parts())

    def _parts(self) -> Iterator[str]:
        yield '<p style="display: flex; flex-wrap: wrap; gap: 1em">'
        for name, swatch in self.legend.items():
            yield f'<span><span style="display: inline-block; width: 2.5em">{swatch}</span> {html.escape(name)}</span>'
        yield '</p><div style="display: flex; flex-wrap: wrap; gap: 1em">'
        for picture in self.pictures:
            yield f'<figure style="width: 24em"><figcaption>{html.escape(picture.title)}</figcaption>'
            yield f"{pictures.labeled(picture)}</figure>"
        yield "</div>"

    def save(self, path: str | Path) -> None:
        """Write an HTML page of them."""
        with atomic_file(Path(path)) as temporary:
            temporary.write_text(f'<!doctype html><meta charset="utf-8">{self._repr_html_()}', encoding="utf-8")
