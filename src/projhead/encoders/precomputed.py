"""Vectors made elsewhere, such as by an API."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, TypeGuard

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from projhead.corpora.split import TEST_FRACTION, select
from projhead.data import Document, RowText
from projhead.encoders.again import MadeAgain
from projhead.encoders.lengths import lengths_of, similarity_of
from projhead.encoders.lifted import lifted, longest_for
from projhead.encoders.row_columns import RowColumns
from projhead.encoders.vector_files import VectorFile
from projhead.persistence.files import sha256_of
from projhead.persistence.identity import EncoderIdentity
from projhead.vectors import Vectors, unit_rows


class Precomputed(MadeAgain):
    """Rows of a file as an encoder that knows only the texts they were made from, and as the corpus of those.

    A vector belongs to its row. A text that two rows have, with different vectors, is told apart by the row it comes
    from (`RowText`, as `documents` and files of texts give); alone it is refused.

    Parameters
    ----------
    path : str
        .npy (memory-mapped), .safetensors, or a table, whose rows may have ids, texts and more; see `VectorFile`.
    texts : str, optional
        A file with one text per row in the same order: .txt (one a line), or .jsonl, .json, .csv, .parquet. Where not
        given, the table's own; where that has none, a digest of the row stands in for its text.
    id_column : str, optional
        The column with the ids of rows, in the file of texts, or in the table. Where not given ``id`` of the table, or
        else the number of the row, from 0.
    text_column : str, optional
        The column with the texts; ``text`` where not given.
    column : str, optional
        The column, or the tensor, of the vectors: where not given ``embedding``, or the only one of numbers in lists.
    name : str, optional
        What to call the encoder that made the vectors; the name of the file where not given.
    revision : str, optional
        Which version of it. Name and revision declare the model: another file of the same then serves wherever this one
        does. Where they are not given, this file is known by its bytes, and no other stands for it.
    similarity : {"cosine", "dot"}, optional
        What the model compares by. By ``"cosine"`` lengths mean nothing, and rows are made unit length. By ``"dot"``
        documents keep theirs as one more coordinate (`projhead.encoders.lifted`), and are held in memory. Cosine where
        not given, which is told where lengths differ.
    longest : float, optional
        By ``"dot"``, a length that no document's row exceeds, the same for all files of a model. Where not given half
        as much again as the longest here, or what the artifact says that the rows are put through.

    Attributes
    ----------
    rows : ndarray of shape (n, d), float16, float32 or float64
        As they are in the file, of any length but zero; by ``"dot"`` as they are compared, (n, d + 1) float32.
    longest_found : bool
        Whether nobody said the longest length.
    columns : dict of str to pyarrow.DataType
        What else the table says of each row; documents bring it along.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it holds something else than rows of finite floats, or a row is all zero.
    """

    def __init__(
        self,
        path: str,
        *,
        texts: str | None = None,
        id_column: str | None = None,
        text_column: str | None = None,
        column: str | None = None,
        name: str | None = None,
        revision: str | None = None,
        similarity: Literal["cosine", "dot"] | None = None,
        longest: float | None = None,
    ) -> None:
        if revision is not None and name is None:
            raise ValueError(
                f"revision: expected the name of the model that it is of, got {revision!r} alone; give encoder.name=..."
            )
        self.path, self.texts = str(Path(path).absolute()), texts and str(Path(texts).absolute())
        self.id_column, self.text_column, self.column = id_column, text_column, column
        self.name, self.revision = name or Path(path).stem, revision
        self._file = VectorFile(Path(path), column)
        self._columns = RowColumns(self._file, self.texts, id_column, text_column)
        shortest, found = lengths_of(self._file.rows, self.path)
        self.similarity = similarity_of(similarity, longest, shortest, found, self.path)
        self.two_sided = self.similarity == "dot"
        self.longest_found = self.two_sided and longest is None
        self.longest = longest_for(found) if self.longest_found else longest
        self.dimension = int(self._file.rows.shape[1]) + self.two_sided

    @property
    def rows(self) -> NDArray[Any]:
        """The rows of documents."""
        if self.longest is None:
            return self._file.rows
        if self._lifted is None or self._lifted[0] != self.longest:
            self._lifted = self.longest, lifted(self._file.rows, self.longest, documents=True)
        return self._lifted[1]

    _lifted: tuple[float, Vectors] | None = None

    @property
    def identity(self) -> EncoderIdentity:
        """The declared model; where none is declared, the file itself."""
        declared = f"{self.name}@{self.revision}" if self.revision is not None else ""
        fingerprint = declared or self._digest
        if self.longest is not None:
            fingerprint += f" longest {float(self.longest)!r}"
        return EncoderIdentity(
            self.name,
            fingerprint,
            self.dimension,
            similarity=self.similarity,
            longest=float(self.longest or 0),
            of_file=not declared,
        )

    @cached_property
    def _digest(self) -> str:
        return sha256_of(Path(self.path))[:16]

    @property
    def has_texts(self) -> bool:
        """Whether there are texts, and not only digests of rows."""
        return self._columns.has_texts

    @property
    def columns(self) -> dict[str, pa.DataType]:
        """What else the table says of each row.

        Raises
        ------
        ValueError
            If a column has a name that stores use.
        """
        return self._columns.others

    @cached_property
    def _rows_of(self) -> dict[str, list[int]]:
        found: dict[str, list[int]] = defaultdict(list)
        for number, text in enumerate(self._columns.texts):
            found[text].append(number)
        return dict(found)

    def texts_or_rows(self) -> Sequence[str]:
        """Return the text of each row; where there are no texts, a digest of the row stands in.

        Raises
        ------
        ValueError
            If there are not as many texts as rows.
        """
        return self._columns.texts

    def documents(self, split: str) -> Iterator[Document]:
        """Stream ids, texts and other columns of the rows of split "train", "test" or "all", in their order.

        Raises
        ------
        ValueError
            If there are not as many texts or ids as rows, or an id is missing or there twice.
        """
        told = self._columns
        return select(map(Document, told.ids, told.texts, told.values()), split, TEST_FRACTION)

    def encode_document(self, texts: Sequence[str], *, show_progress: bool = False) -> Vectors:
        """Return the unit rows (n, dimension), float32, of texts that are searched; see `encode`."""
        return unit_rows(self.rows[self._rows_named(texts)])

    def encode_query(self, texts: Sequence[str], *, show_progress: bool = False) -> Vectors:
        """Return the unit rows (n, dimension), float32, of texts that ask; see `encode`."""
        return self.encode(texts)

    def encode(self, texts: Sequence[str], *, show_progress: bool = False) -> Vectors:
        """Return the unit rows (n, dimension), float32, of texts that the file has vectors of; lengths do not count.

        Raises
        ------
        ValueError
            If there is no vector of a text, as the encoder itself is not here, or there are several.
        """
        rows = self._file.rows[self._rows_named(texts)]
        return unit_rows(rows) if self.longest is None else lifted(rows, self.longest, documents=False)

    def _rows_named(self, texts: Sequence[str]) -> list[int]:
        found = [self._row_of(text) for text in texts]
        if unknown := [text for text, row in zip(texts, found, strict=True) if row is None]:
            hint = "" if self.has_texts else "; name the file of their texts with encoder.texts=<file>"
            raise ValueError(
                f"{self.path} has no vectors of {len(unknown):,} of {len(texts):,} texts (the first is "
                f"{unknown[0][:80]!r}): precomputed vectors cannot encode new texts; search by "
                f"vector=... or id=..., measure by task=neighbor_overlap{hint}"
            )
        return [row for row in found if row is not None]

    def _row_of(self, text: str) -> int | None:
        if self._is_own(text):
            return text.row
        first, *others = self._rows_of.get(text, [None])
        for other in others:
            if not np.array_equal(self._file.rows[first], self._file.rows[other]):
                raise ValueError(
                    f"{self.path} has different vectors of the text {text[:80]!r}, in rows {first} and {other}: "
                    f"a vector belongs to its row; take the documents from {self._columns.source}"
                )
        return first

    def _is_own(self, text: str) -> TypeGuard[RowText]:
        """Say whether a text knows its row here, so that all others need not be looked through."""
        if not isinstance(text, RowText) or not 0 <= text.row < len(self._file.rows):
            return False
        return os.path.abspath(text.source) == self._columns.source and self._columns.texts[text.row] == text
