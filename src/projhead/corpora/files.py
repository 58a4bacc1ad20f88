"""Your own texts, streamed from files or standard input."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import islice
from pathlib import Path

import pyarrow as pa

from projhead.corpora.readers import Row, read_rows
from projhead.corpora.split import documents_of, sample, select
from projhead.data import STORED, Document
from projhead.settings.ranges import Count, Part

#: Rows by which the type of another column is found.
_LOOK = 1000


class TextFiles:
    """Texts of files, in memory that does not grow with them.

    Parameters
    ----------
    path : str
        A .txt (one text a line), .jsonl, .json, .csv, .tsv or .parquet file, a folder or a glob of those, a folder
        written by ``datasets.Dataset.save_to_disk``, or ``-`` for standard input (one text a line).
    column : str
        The column of the texts, where there are columns.
    id_column : str, optional
        The column of the ids; the number of the row, from 0, where not given.
    test_fraction : float
        Share of the texts held out as split "test".
    max_documents : int, optional
        Take a sample of so many: the same for the same texts, spread over all of them (files are often sorted).
    skip_bad : bool
        Leave out texts that are blank or not in that encoding, which are an error otherwise.
    encoding : str
        Of files of text, such as ``"latin-1"`` or ``"cp1252"``.
    columns : sequence of str
        Other columns to keep, which come back from search and filter it. Those of .csv and .tsv are text.

    Raises
    ------
    ValueError
        If a column to keep has a name that stores use, or standard input is to have some.
    """

    def __init__(
        self,
        path: str,
        *,
        column: str = "text",
        id_column: str | None = None,
        test_fraction: Part = 0.1,
        max_documents: Count | None = None,
        skip_bad: bool = False,
        encoding: str = "utf-8",
        columns: Sequence[str] = (),
    ) -> None:
        self.path, self.column, self.id_column = str(path), column, id_column
        self.test_fraction, self.max_documents, self.skip_bad = test_fraction, max_documents, skip_bad
        self.encoding, self.kept = encoding, list(columns)
        if clash := sorted(STORED & {*self.kept}):
            raise ValueError(
                f"columns: expected other names than those that stores use, got {', '.join(clash)}; rename them, or "
                "name the texts by column, the ids by id_column"
            )
        if self.kept and self.once:
            raise ValueError(f"columns: standard input has none but text, got {', '.join(self.kept)}; use a file")
        self.name = "stdin" if self.once else Path(self.path).stem

    @property
    def once(self) -> bool:
        """Whether the texts can be read only once, as those of standard input."""
        return self.path == "-"

    @cached_property
    def columns(self) -> dict[str, pa.DataType]:
        """The type of each column that is kept, by the first rows; what follows must fit."""
        if not self.kept:
            return {}
        first = list(islice(self._rows(), _LOOK))
        return {name: _type([row[name] for row in first], name) for name in self.kept}

    def documents(self, split: str) -> Iterator[Document]:
        """Stream the documents of split "train", "test" or "all".

        Raises
        ------
        FileNotFoundError
            If there is no such file.
        ValueError
            If a file cannot be read or holds no or bad texts, a column is missing, or standard input is to be
            split, which can be read only once.
        """
        if self.once and split != "all":
            raise ValueError(f"standard input can be read only once: expected split=all, got {split!r}; use a file")
        found = documents_of(
            self._rows(), self.column, self.id_column, skip_bad=self.skip_bad, source=self.path, kept=self.kept
        )
        if self.max_documents is not None:
            found = sample(found, self.max_documents)
        return select(found, split, self.test_fraction)

    def _rows(self) -> Iterator[Row]:
        columns = dict.fromkeys(self.kept, "corpus.columns") | {self.column: "corpus.column"}
        if self.id_column is not None:
            columns[self.id_column] = "corpus.id_column"
        return read_rows(self.path, columns, self.encoding)


def _type(values: list[object], name: str) -> pa.DataType:
    try:
        found = pa.array(values).type
    except pa.ArrowException as error:
        raise ValueError(f"columns: expected values of one type in {name!r}; {error}") from error
    return pa.string() if pa.types.is_null(found) else found
