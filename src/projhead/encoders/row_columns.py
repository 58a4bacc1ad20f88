"""What is known of the rows of a file of vectors: ids, texts and more."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from itertools import repeat
from typing import Any

import pyarrow as pa

from projhead.corpora.readers import read_rows
from projhead.corpora.row_ids import RowIds
from projhead.corpora.text_column import TextColumn
from projhead.data import STORED, RowText
from projhead.encoders.row_digests import RowDigests
from projhead.encoders.row_texts import RowTexts
from projhead.encoders.vector_files import VectorFile

#: Rows of a table that become Python's at once.
_BATCH = 1024
#: What ids and texts are called where nobody says.
_ID, _TEXT = "id", "text"


class RowColumns:
    """Ids, texts and other columns of the rows of a file of vectors; ids and texts lie in temporary files.

    Parameters
    ----------
    file : VectorFile
    texts, id_column, text_column : str, optional
        As `projhead.encoders.precomputed.Precomputed` takes them.
    """

    def __init__(self, file: VectorFile, texts: str | None, id_column: str | None, text_column: str | None) -> None:
        self.file, self.path, self.texts_path = file, str(file.path.absolute()), texts
        self.id_column, self.text_column = id_column, text_column

    @property
    def source(self) -> str:
        """The file that ids and texts come from."""
        return self.texts_path or self.path

    @property
    def has_texts(self) -> bool:
        """Whether there are texts, and not only digests of rows."""
        return self._text_name is not None

    @cached_property
    def texts(self) -> Sequence[RowText]:
        """The text of each row; a digest of the row where there are no texts.

        Raises
        ------
        ValueError
            If there are not as many as rows.
        """
        if self._text_name is None:
            return RowTexts(RowDigests(self.file.rows), self.source)
        read = self._read(self._text_name, "encoder.text_column")
        texts = RowTexts(TextColumn(str(text or "") for text in read), self.source)
        self._expect_all(len(texts), "texts")
        return texts

    @property
    def ids(self) -> Iterable[str]:
        """The id of each row; its number where there are no ids.

        Raises
        ------
        ValueError
            If there are not as many as rows, or one is missing or there twice.
        """
        return map(str, range(len(self.file.rows))) if self._own_ids is None else self._own_ids

    @cached_property
    def _own_ids(self) -> Sequence[str] | None:
        column = self._named(self.id_column, _ID) if self.texts_path is None else self.id_column
        if column is None:
            return None
        check = RowIds(self.source, column)
        read = self._read(column, "encoder.id_column")
        ids = TextColumn(check(one, number) for number, one in enumerate(read))
        self._expect_all(len(ids), "ids")
        return ids

    @cached_property
    def others(self) -> dict[str, pa.DataType]:
        """What else the table says of each row.

        Raises
        ------
        ValueError
            If a column has a name that stores use.
        """
        if self.file.others is None:
            return {}
        named = ((self.id_column, _ID), (self.text_column, _TEXT)) if self.texts_path is None else ()
        taken = {self._named(asked, usual) for asked, usual in named}
        kept = {field.name: field.type for field in self.file.others.schema if field.name not in taken}
        if clash := sorted(STORED & kept.keys()):
            raise ValueError(
                f"{self.path}: a store has a column {clash[0]!r} of its own; rename the file's, or take it as what it "
                "is (encoder.id_column=..., encoder.text_column=..., encoder.column=...)"
            )
        return kept

    def values(self) -> Iterator[dict[str, Any]]:
        """Yield the other columns of each row."""
        if not self.others:
            yield from repeat({}, len(self.file.rows))
            return
        assert self.file.others is not None
        for batch in self.file.others.select(list(self.others)).to_batches(max_chunksize=_BATCH):
            yield from batch.to_pylist()

    @property
    def _text_name(self) -> str | None:
        """The column of the texts, of their file or of the table; None where there are none."""
        return self._named(self.text_column, _TEXT) if self.texts_path is None else self.text_column or _TEXT

    def _named(self, asked: str | None, usual: str) -> str | None:
        """Return the column of the table of that name, or of the usual one where none was asked for and it is there."""
        names = [] if self.file.others is None else self.file.others.column_names
        if asked is not None and asked not in names:
            raise ValueError(f"{self.path}: expected a column {asked!r}, got {', '.join(map(repr, names)) or 'none'}")
        return asked or (usual if usual in names else None)

    def _read(self, column: str, setting: str) -> Iterator[Any]:
        """Return the values of a column, of the file of texts or of the table."""
        if self.texts_path is not None:
            return (row[column] for row in read_rows(self.texts_path, {column: setting}))
        assert self.file.others is not None
        batches = self.file.others.select([column]).to_batches(max_chunksize=_BATCH)
        return (value for batch in batches for value in batch[column].to_pylist())

    def _expect_all(self, found: int, what: str) -> None:
        if found != (n := len(self.file.rows)):
            raise ValueError(f"{self.source}: expected {n:,} {what}, one per row of {self.path}, got {found:,}")
