"""Your own texts, streamed from files or standard input."""

from __future__ import annotations

import glob
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from projhead.corpora.split import select
from projhead.protocols import Document

_BUILDERS = {".txt": "text", ".jsonl": "json", ".json": "json", ".csv": "csv", ".parquet": "parquet"}


class TextFiles:
    """Texts of files, in memory that does not grow with them.

    Parameters
    ----------
    path : str
        A .txt (one text a line), .jsonl, .csv or .parquet file, a folder or a glob of those, a folder written by
        ``datasets.Dataset.save_to_disk``, or ``-`` for standard input (one text a line).
    column : str
        The column of the texts, where there are columns.
    id_column : str, optional
        The column of the ids; numbers from 0 where there is none.
    test_fraction : float
        Share of the texts held out as split "test".
    max_documents : int, optional
        Stop after so many.
    """

    def __init__(
        self,
        path: str,
        *,
        column: str = "text",
        id_column: str | None = None,
        test_fraction: float = 0.1,
        max_documents: int | None = None,
    ) -> None:
        self.path, self.column, self.id_column = str(path), column, id_column
        self.test_fraction, self.max_documents = test_fraction, max_documents
        self.name = "stdin" if self.path == "-" else Path(self.path).stem

    def documents(self, split: str) -> Iterator[Document]:
        """Stream the documents of split "train", "test" or "all".

        Raises
        ------
        FileNotFoundError
            If there is no such file.
        ValueError
            If a file has an unknown ending, the column is missing, or standard input is to be split.
        """
        if self.path == "-":
            if split != "all":
                raise ValueError("standard input can be read only once: expected split=all (or save it to a file)")
            rows: Iterator[Any] = ({"text": line.rstrip("\n")} for line in sys.stdin)
            found = documents_of(rows, "text", None)
        else:
            found = documents_of(self._rows(), self.column, self.id_column)
        return select(islice(found, self.max_documents), split, self.test_fraction)

    def _rows(self) -> Iterator[Any]:
        import datasets

        path = Path(self.path)
        if (path / "dataset_info.json").is_file():
            return iter(datasets.load_from_disk(self.path))
        files = _files(self.path)
        builder = _BUILDERS[Path(files[0]).suffix]
        return iter(datasets.load_dataset(builder, data_files=files, split="train", streaming=True))


def _files(path: str) -> list[str]:
    """Return the files that a path, a folder or a glob means; all with one ending."""
    if Path(path).is_dir():
        files = sorted(str(file) for file in Path(path).iterdir() if file.suffix in _BUILDERS)
    else:
        files = [path] if Path(path).is_file() else sorted(glob.glob(path, recursive=True))
    if not files:
        raise FileNotFoundError(f"corpus.path: found no text file at {path}; endings read are {', '.join(_BUILDERS)}")
    suffixes = {Path(file).suffix for file in files}
    if len(suffixes) != 1 or not suffixes <= set(_BUILDERS):
        raise ValueError(f"{path}: expected files with one ending of {', '.join(_BUILDERS)}, got {sorted(suffixes)}")
    return files


def documents_of(rows: Iterator[Any], column: str, id_column: str | None) -> Iterator[Document]:
    """Turn rows with columns into documents; a missing text keeps its place as an empty one."""
    for number, row in enumerate(rows):
        for needed in (column, id_column):
            if needed is not None and needed not in row:
                raise ValueError(f"expected a column {needed!r}, got {sorted(row)}; set corpus.column or corpus.id_column")
        text = row[column]
        # A missing text keeps its place, so that rows stay in step with the file.
        yield Document(str(number if id_column is None else row[id_column]), "" if text is None else str(text))
