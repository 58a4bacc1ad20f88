"""Read columns of parquet, csv, tsv and json lines."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from projhead.corpora.readers import Columns, read_rows

SUFFIXES = (".parquet", ".csv", ".tsv", ".jsonl", ".json")


def read_columns(path: str | Path, columns: Columns, name: str | None = None) -> pd.DataFrame:
    """Read some columns of a file, or of the file called `name` (any ending) in a folder.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it cannot be read, a row does not fit its header, or a column is missing or there twice.
    """
    found = Path(path)
    if found.is_dir() and name is not None:
        candidates = [one for suffix in SUFFIXES if (one := found / f"{name}{suffix}").is_file()]
        if not candidates:
            raise FileNotFoundError(f"{found}: expected a file {name} ending in one of {', '.join(SUFFIXES)}")
        found = candidates[0]
    if not found.is_file():
        raise FileNotFoundError(f"{found}: no such file")
    if found.suffix not in SUFFIXES:
        raise ValueError(f"{found}: expected one of the endings {', '.join(SUFFIXES)}")
    if found.suffix == ".parquet":
        return _parquet(found, list(columns))
    rows = list(read_rows(str(found), columns))
    frame = pd.DataFrame(rows) if rows else pd.DataFrame(columns=list(columns))
    # Of .csv and .tsv all is text: ids keep their leading zeros, words such as "null" stay words.
    return frame if found.suffix.startswith(".json") else frame.replace("", float("nan"))


def _parquet(path: Path, columns: Sequence[str]) -> pd.DataFrame:
    try:
        frame = pd.read_parquet(path)
    except Exception as error:  # pandas and pyarrow raise many kinds for a damaged file
        raise ValueError(f"{path} cannot be read: {error}") from error
    if frame.columns.has_duplicates:
        raise ValueError(f"{path}: expected different names of columns, got {list(frame.columns)}; rename one")
    if missing := [column for column in columns if column not in frame.columns]:
        raise ValueError(f"{path}: expected the columns {missing}, got {list(frame.columns)}")
    return frame
