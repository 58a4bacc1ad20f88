"""Find the data sets that a task's `path` means."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

Paths = str | Path | Sequence[str | Path]


def data_sets(path: Paths) -> dict[str, Path]:
    """Return data sets by name: the name of a folder, or of a file without its ending.

    Raises
    ------
    ValueError
        If there are none, or two share a name: their results could not be told apart.
    """
    paths = [Path(path)] if isinstance(path, str | Path) else [Path(one) for one in path]
    if not paths:
        raise ValueError("path: expected at least one file or folder, got none")
    named = {(one.stem if one.suffix else one.resolve().name): one for one in paths}
    if len(named) < len(paths):
        raise ValueError(
            f"path: expected data sets with different names, got {[str(one) for one in paths]}; rename one"
        )
    return named


def texts_of(frame: pd.DataFrame, column: str, path: Path) -> list[str]:
    """Return a column as texts.

    Raises
    ------
    ValueError
        If there are no rows, or a text is missing.
    """
    if frame.empty:
        raise ValueError(f"{path}: expected rows, got none")
    missing = frame[column].isna().to_numpy()
    if missing.any():
        count, first = missing.sum(), missing.argmax()
        raise ValueError(
            f"{path}: column {column!r} has no text in {count} rows (first in row {first}); fill or drop them"
        )
    return [str(text) for text in frame[column]]
