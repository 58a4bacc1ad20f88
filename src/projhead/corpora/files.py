"""Your own texts, streamed from files or standard input."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from projhead.corpora.readers import read_rows
from projhead.corpora.split import documents_of, sample, select
from projhead.data import Document
from projhead.settings.ranges import Count, Part


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
    ) -> None:
        self.path, self.column, self.id_column = str(path), column, id_column
        self.test_fraction, self.max_documents, self.skip_bad = test_fraction, max_documents, skip_bad
        self.encoding = encoding
        self.name = "stdin" if self.once else Path(self.path).stem

    @property
    def once(self) -> bool:
        """Whether the texts can be read only once, as those of standard input."""
        return self.path == "-"

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
        columns = {self.column: "corpus.column"}
        if self.id_column is not None:
            columns[self.id_column] = "corpus.id_column"
        rows = read_rows(self.path, columns, self.encoding)
        found = documents_of(rows, self.column, self.id_column, skip_bad=self.skip_bad, source=self.path)
        if self.max_documents is not None:
            found = sample(found, self.max_documents)
        return select(found, split, self.test_fraction)
