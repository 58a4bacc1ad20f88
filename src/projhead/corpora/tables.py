"""Columns of tabular files: parquet, csv, tsv, json lines."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

#: Ids keep their leading zeros, and words such as "null" stay words.
_CSV = {
    "dtype": dict.fromkeys(["_id", "query-id", "corpus-id", "text", "title"], str),
    "keep_default_na": False,
    "na_values": [""],
}

READERS = {
    ".parquet": pd.read_parquet,
    ".csv": lambda path: pd.read_csv(path, **_CSV),
    ".tsv": lambda path: pd.read_csv(path, sep="\t", **_CSV),
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
        candidates = [one for suffix in READERS if (one := found / f"{name}{suffix}").is_file()]
        if not candidates:
            raise FileNotFoundError(f"{found}: expected a file {name} ending in one of {', '.join(READERS)}")
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
        raise ValueError(f"{found}: expected the columns {missing}, got {list(frame.columns)}")
    return frame
