"""Columns of tabular files: parquet, csv, tsv, json lines."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

READERS = {
    ".parquet": pd.read_parquet,
    ".csv": pd.read_csv,
    ".tsv": lambda path: pd.read_csv(path, sep="\t"),
    ".jsonl": lambda path: pd.read_json(path, lines=True, dtype=False),
    ".json": lambda path: pd.read_json(path, dtype=False),
}


def read_columns(path: str | Path, columns: Sequence[str], name: str | None = None) -> pd.DataFrame:
    """Read some columns of a file, or of the file called `name` (any ending) in a folder.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it cannot be read, or a column is missing.
    """
    found = Path(path)
    if found.is_dir() and name is not None:
        candidates = [found / f"{name}{suffix}" for suffix in READERS if (found / f"{name}{suffix}").is_file()]
        if not candidates:
            raise FileNotFoundError(f"{found}: expected a file {name} with one of the endings {', '.join(READERS)}")
        found = candidates[0]
    if not found.is_file():
        raise FileNotFoundError(f"{found}: no such file")
    if found.suffix not in READERS:
        raise ValueError(f"{found}: expected one of the endings {', '.join(READERS)}")
    try:
        frame = READERS[found.suffix](found)
    except Exception as error:  # pandas and pyarrow raise many kinds for a damaged file
        raise ValueError(f"{found} cannot be read: {error}") from error
    if missing := [column for column in columns if column not in frame.columns]:
        raise ValueError(f"{found}: expected the columns {', '.join(columns)}; missing {missing}, got {list(frame.columns)}")
    return frame
