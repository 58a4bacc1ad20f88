"""Stream the rows of files in constant memory.

Bytes that the encoding does not know come through as lone surrogates, so that whoever reads can tell and count them.
Rows that do not fit their header, and columns or keys that are there twice, are refused: any guess shifts texts.
"""

from __future__ import annotations

import codecs
import csv
import glob
import io
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any, TextIO

import pyarrow.parquet as pq
from pyarrow import ArrowException

from projhead.corpora.remote import RemoteFile, reached, remote_files
from projhead.persistence.files import is_url

Row = dict[str, Any]
File = Path | RemoteFile
#: Columns that are asked for, or by each the setting that names it.
Columns = Sequence[str] | Mapping[str, str]

#: Rows of a table decoded at once.
_CHUNK = 1024
#: Characters in one value of a .csv, at most: a quote that is never closed would swallow the rest of the file.
_LONGEST = 1 << 27


def read_rows(path: str, columns: Columns, encoding: str = "utf-8") -> Iterator[Row]:
    """Stream the rows of a file, of all files of a folder or a glob (one format), or of standard input.

    Parameters
    ----------
    path : str
        .txt (one text a line, as column ``text``), .jsonl, .json, .csv, .tsv, .parquet, a folder or a glob of those,
        a folder that ``datasets.Dataset.save_to_disk`` wrote, ``-`` (standard input, one text a line), or a URL of
        files, a folder or a glob, such as ``s3://bucket/texts/*.parquet`` or ``hf://datasets/owner/name/texts.jsonl``
        (`fsspec` reads it, with the package for that kind of storage).
    columns : sequence of str, or mapping of str to str
        What every row must have, with the settings that name it; others may be left out.
    encoding : str
        Of files of text, such as ``"latin-1"``.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If an ending or encoding is unknown, a column is missing or there twice, a row does not fit its header, or a
        file cannot be read; the place is named.
    """
    kind = _known(encoding)
    if path == "-":
        stream = io.TextIOWrapper(sys.stdin.buffer, encoding=kind, errors="surrogateescape", newline="\n")
        yield from checked(_lines(stream), columns, "standard input")
        stream.detach()
    elif any((Path(path) / name).is_file() for name in ("dataset_info.json", "dataset_dict.json")):
        yield from checked(_saved_dataset(path, list(columns)), columns, path)
    else:
        for file in _files(path):
            rows = checked(_READERS[file.suffix](file, list(columns), kind), columns, str(file))
            with reached(str(file)) if isinstance(file, RemoteFile) else nullcontext():
                yield from rows


def checked(rows: Iterator[Row], columns: Columns, source: str) -> Iterator[Row]:
    """Yield rows that have the columns; errors name the source and the row."""
    done = 0
    try:
        for row in rows:
            if missing := [column for column in columns if column not in row]:
                setting = columns.get(missing[0]) if isinstance(columns, Mapping) else None
                how = f": {setting}=NAME" if setting else ""
                raise ValueError(f"expected a column {missing[0]!r}, got {', '.join(map(repr, row))}; name yours{how}")
            yield row
            done += 1
    except RecursionError:
        raise ValueError(f"{source}, after {done:,} rows: got JSON nested too deeply to read; flatten it") from None
    except (ValueError, ArrowException) as error:
        raise ValueError(f"{source}, after {done:,} rows: {error}") from error


def _files(path: str) -> Sequence[File]:
    files: Sequence[File]
    found = Path(path)
    if is_url(path):
        files = remote_files(path, _READERS)
    elif found.is_dir():
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


def _known(encoding: str) -> str:
    try:
        name = codecs.lookup(encoding).name
    except LookupError:
        raise ValueError(f"encoding: expected a name such as utf-8, latin-1 or cp1252, got {encoding!r}") from None
    return "utf-8-sig" if name == "utf-8" else name


def _open(path: File, encoding: str, newline: str = "\n") -> TextIO:
    return path.open(encoding=encoding, errors="surrogateescape", newline=newline)


def _lines(file: Iterable[str]) -> Iterator[Row]:
    for line in file:
        yield {"text": line.rstrip("\r\n")}


def _text(path: File, columns: Sequence[str], encoding: str) -> Iterator[Row]:
    with _open(path, encoding) as file:
        yield from _lines(file)


def _json_lines(path: File, columns: Sequence[str], encoding: str) -> Iterator[Row]:
    with _open(path, encoding) as file:
        for number, line in enumerate(file, start=1):
            if line.strip():
                try:
                    yield _object(json.loads(line, object_pairs_hook=_once))
                except ValueError as error:
                    raise ValueError(f"line {number}: {error}") from error


def _json(path: File, columns: Sequence[str], encoding: str) -> Iterator[Row]:
    """Read one list of objects; a .json of one object a line is read as such."""
    with _open(path, encoding) as file:
        if file.read(_CHUNK).lstrip().startswith("["):
            file.seek(0)
            yield from map(_object, json.load(file, object_pairs_hook=_once))
            return
    yield from _json_lines(path, columns, encoding)


def _once(pairs: list[tuple[str, Any]]) -> Row:
    """Build an object; of a key that is there twice one value would be lost."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError(f"got the key {_twice([key for key, _ in pairs])!r} twice in one object; name each once")
    return found


def _twice(names: Sequence[str]) -> str:
    return next(name for number, name in enumerate(names) if name in names[:number])


def _object(value: Any) -> Row:
    if not isinstance(value, dict):
        raise ValueError(f"expected an object with columns, got {value!r:.80}")
    return value


def _csv(path: File, columns: Sequence[str], encoding: str, *, delimiter: str) -> Iterator[Row]:
    csv.field_size_limit(_LONGEST)
    with _open(path, encoding, newline="") as file:
        reader = csv.reader(file, delimiter=delimiter, strict=True)
        try:
            names = _distinct(next(reader, []))
            for values in reader:
                if values and len(values) != len(names):
                    raise ValueError(f"expected {len(names)} values, as in the header, got {len(values)}; quote values")
                if values:  # a blank line is no row
                    yield dict(zip(names, values, strict=True))
        except (ValueError, csv.Error) as error:
            raise ValueError(f"line {reader.line_num}: {error}") from error


def _distinct(names: Sequence[str]) -> Sequence[str]:
    if not names:
        raise ValueError("expected a line with the names of the columns, got none")
    if len(set(names)) < len(names):
        raise ValueError(f"expected different names of columns, got {_twice(names)!r} twice; rename one")
    return names


def _parquet(path: File, columns: Sequence[str], encoding: str) -> Iterator[Row]:
    with pq.ParquetFile(path.open_bytes() if isinstance(path, RemoteFile) else path) as file:
        names = _distinct(file.schema_arrow.names)
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


_READERS: dict[str, Callable[[File, Sequence[str], str], Iterator[Row]]] = {
    ".txt": _text,
    ".jsonl": _json_lines,
    ".json": _json,
    ".csv": partial(_csv, delimiter=","),
    ".tsv": partial(_csv, delimiter="\t"),
    ".parquet": _parquet,
}
