"""Tables as wide as the terminal."""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Iterator
from itertools import groupby
from textwrap import wrap

from tabulate import tabulate

#: Characters that a column keeps.
_NARROWEST = 6


def fitted(text: str, columns: int | None = None) -> str:
    """Return a text whose Markdown tables are no wider than the terminal: cells of wider ones are wrapped.

    Parameters
    ----------
    text : str
    columns : int, optional
        Of the terminal; where not given its own, and any number where the text goes to a file.
    """
    if columns is None and not sys.stdout.isatty():
        return text
    width = columns or shutil.get_terminal_size().columns
    return "\n".join(_fitted(text.splitlines(), width))


def _fitted(lines: list[str], width: int) -> Iterator[str]:
    for table, group in groupby(lines, lambda line: line.startswith("|")):
        found = list(group)
        wide = table and len(found) > 2 and max(map(len, found)) > width
        yield from _wrapped(found, width).splitlines() if wide else found


def _wrapped(lines: list[str], width: int) -> str:
    """Return a table of Markdown within a width: the widest columns give way."""
    header, _, *rows = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    while sum(widths) + 2 * (len(widths) - 1) > width and max(widths) > _NARROWEST:
        widths[widths.index(max(widths))] -= 1
    heads = [_broken(cell, most) for cell, most in zip(header, widths, strict=True)]
    return str(tabulate(rows, heads, "simple", disable_numparse=True, maxcolwidths=widths))


def _broken(cell: str, width: int) -> str:
    return "\n".join(wrap(cell, width) or [""])
