"""Rows of files, one after another, in memory that does not grow with them.

Bytes that are not UTF-8 come through as lone surrogates, so that whoever reads can tell and count them.
"""

from __future__ import annotations

import glob
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import pandas as pd
import pyarrow.parquet as pq
from pyarrow import ArrowException

Row = dict[str, Any]

#: Rows of a table decoded at once.
_CHUNK = 1024


def read_rows(path: str, columns: Sequence[str]) -> Iterator[Row]:
    """Stream the rows of a file, of all files of a folder or a glob (one format), or of standard input.

    Parameters
    ----------
    path : str
        .txt (one text a line, as column ``text``), .jsonl, .json, .csv, .parquet, a folder or a glob of those,
        a folder that ``datasets.Dataset.save_to_disk`` wrote, or ``-`` (standard input, one text a line).
    columns : sequence of str
        What every row must have; others may be left out.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If an ending is unknown, a column is missing, or a file cannot be read; the place is named.
    """
    if path == "-":
        yield from checked(_lines(sys.stdin.buffer), columns, "standard input")
    elif any((Path(path) / name).is_file() for name in ("dataset_info.json", "dataset_dict.json")):
        yield from checked(_saved_dataset(path, columns), columns, path)
    else:
        for file in _files(path):
            yield from checked(_READERS[file.suffix](file, columns), columns, str(file))


def checked(rows: Iterator[Row], columns: Sequence[str], source: str) -> Iterator[Row]:
    """Pass rows on that have the columns; errors of reading and of missing columns name the source."""
    done = 0
    try:
        for row in rows:
            if missing := [column for column in columns if column not in row]:
                raise ValueError(f"expected a column {missing[0]!r}, got {', '.join(map(repr, row))}; name yours")
            yield row
            done += 1
    except (ValueError, ArrowException) as error:
        raise ValueError(f"{source}, after {done:,} rows: {error}") from error


def _files(path: str) -> list[Path]:
    found = Path(path)
    if found.is_dir():
        files = sorted(file for file in found.iterdir() if file.suffix in _READERS)
    else:
        files = [found] if found.is_file() else [Path(file) for file in sorted(glob.glob(path, recursive=True))]
    endings = ", ".join(_READERS)
    if not files:
        raise FileNotFoundError(f"{path}: no such file, and no files below it; expected {endings}")
    suffixes = {file.suffix for file in files}
    if len(suffixes) != 1 or not suffixes <= set(_READERS):
        raise ValueError(f"{path}: expected files with one ending of {endings}, got {', '.join(sorted(suffixes))}")
    return files


def _decoded(file: BinaryIO) -> Iterator[str]:
    for number, line in enumerate(file):
        text = line.decode("utf-8", "surrogateescape").rstrip("\r\n")
        yield text.removeprefix("\ufeff") if number == 0 else text


def _lines(file: BinaryIO) -> Iterator[Row]:
    for line in _decoded(file):
        yield {"text": line}


def _text(path: Path, columns: Sequence[str]) -> Iterator[Row]:
    with path.open("rb") as file:
        yield from _lines(file)


def _json_lines(path: Path, columns: Sequence[str]) -> Iterator[Row]:
    with path.open("rb") as file:
        yield from (_object(json.loads(line)) for line in _decoded(file) if line.strip())


def _json(path: Path, columns: Sequence[str]) -> Iterator[Row]:
    """Read one list of objects; a .json of one object a line is read as such."""
    with path.open("rb") as file:
        listed = file.read(_CHUNK).lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"[")
    if not listed:
        yield from _json_lines(path, columns)
    else:
        yield from map(_object, json.loads(path.read_bytes().decode("utf-8-sig", "surrogateescape")))


def _object(value: Any) -> Row:
    if not isinstance(value, dict):
        raise ValueError(f"expected an object with columns, got {value!r:.80}")
    return value


def _csv(path: Path, columns: Sequence[str]) -> Iterator[Row]:
    with pd.read_csv(
        path, dtype=str, keep_default_na=False, chunksize=_CHUNK, encoding_errors="surrogateescape"
    ) as chunks:
        for chunk in chunks:
            yield from chunk.to_dict("records")


def _parquet(path: Path, columns: Sequence[str]) -> Iterator[Row]:
    with pq.ParquetFile(path) as file:
        names = file.schema_arrow.names
        wanted = list(columns) if set(columns) <= set(names) else names  # all, for the error to list
        for batch in file.iter_batches(_CHUNK, columns=wanted):
            yield from batch.to_pylist()


def _saved_dataset(path: str, columns: Sequence[str]) -> Iterator[Row]:
    import datasets

    found = datasets.load_from_disk(path)
    if isinstance(found, datasets.DatasetDict):
        raise ValueError(f"expected one data set, got the splits {', '.join(found)}: name the folder of one")
    wanted = list(columns) if set(columns) <= set(found.column_names) else found.column_names
    yield from found.select_columns(wanted)


_READERS: dict[str, Callable[[Path, Sequence[str]], Iterator[Row]]] = {
    ".txt": _text,
    ".jsonl": _json_lines,
    ".json": _json,
    ".csv": _csv,
    ".parquet": _parquet,
}
