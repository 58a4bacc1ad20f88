"""Vectors that were made elsewhere, by an API for example."""

from __future__ import annotations

import hashlib
import os
from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from projhead.corpora.readers import read_rows
from projhead.corpora.row_ids import RowIds
from projhead.corpora.split import TEST_FRACTION, select
from projhead.data import Document, RowText
from projhead.persistence.arrays import read_array
from projhead.persistence.files import sha256_of
from projhead.persistence.identity import EncoderIdentity
from projhead.protocols import OneSided
from projhead.vectors import Vectors, unit_rows

#: Rows checked at once.
_BLOCK = 65_536


class Precomputed(OneSided):
    """Rows of a file as an encoder that knows only the texts they were made from, and as the corpus of those.

    A vector belongs to its row. A text that two rows have, with different vectors, is told apart by the row it comes
    from (`RowText`, as `documents` and files of texts give); alone it is refused.

    Parameters
    ----------
    path : str
        .npy (memory-mapped), .safetensors (the tensor ``embedding``, or the only one) or .parquet (column
        ``embedding``).
    texts : str, optional
        A file with one text per row in the same order: .txt (one a line), or .jsonl, .json, .csv, .parquet with a
        column ``text``. Without it a digest of the row stands in for its text.
    id_column : str, optional
        The column with the ids of rows, in the file of texts, or in that of the vectors (.parquet); the number of the
        row, from 0, where not given.
    name : str, optional
        What to call the encoder that made the vectors; the name of the file where not given.
    revision : str, optional
        Which version of it. Name and revision declare the model: another file of the same then serves wherever this one
        does. Where they are not given, this file is known by its bytes, and no other stands for it.

    Attributes
    ----------
    rows : ndarray of shape (n, d), float16, float32 or float64
        As they are in the file, of any length but zero.

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
        name: str | None = None,
        revision: str | None = None,
    ) -> None:
        if revision is not None and name is None:
            raise ValueError(
                f"revision: expected the name of the model that it is of, got {revision!r} alone; give encoder.name=..."
            )
        self.path, self.texts = str(Path(path).absolute()), texts and str(Path(texts).absolute())
        self.id_column, self.name, self.revision = id_column, name or Path(path).stem, revision
        self.rows = _load(Path(path))
        _check(self.rows, self.path)
        self.dimension = int(self.rows.shape[1])

    @cached_property
    def identity(self) -> EncoderIdentity:
        """The declared model; where none is declared, the file itself."""
        declared = f"{self.name}@{self.revision}" if self.revision is not None else ""
        fingerprint = declared or sha256_of(Path(self.path))[:16]
        return EncoderIdentity(self.name, fingerprint, self.dimension, of_file=not declared)

    @cached_property
    def _texts(self) -> list[RowText]:
        if self.texts is None:
            names = (hashlib.sha256(row.tobytes()).hexdigest() for row in self.rows)
        else:
            names = (str(row["text"] or "") for row in read_rows(self.texts, ["text"]))
        texts = [RowText(text, self._source, number) for number, text in enumerate(names)]
        self._expect_all(len(texts), "texts", self._source)
        return texts

    @cached_property
    def _ids(self) -> list[str]:
        if self.id_column is None:
            return [str(number) for number in range(len(self.rows))]
        check, found = RowIds(self._source, self.id_column), read_rows(self._source, [self.id_column])
        ids = [check(row[self.id_column], number) for number, row in enumerate(found)]
        self._expect_all(len(ids), "ids", self._source)
        return ids

    @property
    def _source(self) -> str:
        return self.texts or self.path

    def _expect_all(self, found: int, what: str, file: str) -> None:
        if found != len(self.rows):
            raise ValueError(f"{file}: expected {len(self.rows):,} {what}, one per row of {self.path}, got {found:,}")

    @cached_property
    def _rows_of(self) -> dict[str, list[int]]:
        found: dict[str, list[int]] = defaultdict(list)
        for number, text in enumerate(self._texts):
            found[text].append(number)
        return dict(found)

    def texts_or_rows(self) -> list[str]:
        """Return the text of each row; where there are no texts, a digest of the row stands in.

        Raises
        ------
        ValueError
            If there are not as many texts as rows.
        """
        return list(self._texts)

    def documents(self, split: str) -> Iterator[Document]:
        """Stream ids and texts of the rows of split "train", "test" or "all", in their order.

        Raises
        ------
        ValueError
            If there are not as many texts or ids as rows, or an id is missing or there twice.
        """
        return select(map(Document, self._ids, self._texts), split, TEST_FRACTION)

    def encode(self, texts: Sequence[str], *, show_progress: bool = False) -> Vectors:
        """Return the unit rows (n, d), float32, of texts that the file has vectors of.

        Raises
        ------
        ValueError
            If there is no vector of a text, as the encoder itself is not here, or there are several.
        """
        unknown = [text for text in texts if text not in self._rows_of]
        if unknown:
            hint = "" if self.texts else "; name the file of their texts with encoder.texts=<file>"
            raise ValueError(
                f"{self.path} has no vectors of {len(unknown):,} of {len(texts):,} texts (the first is "
                f"{unknown[0][:80]!r}): precomputed vectors cannot encode new texts{hint}"
            )
        return unit_rows(self.rows[[self._row_of(text) for text in texts]])

    def _row_of(self, text: str) -> int:
        first, *others = rows = self._rows_of[text]
        if others and isinstance(text, RowText) and text.row in rows and os.path.abspath(text.source) == self._source:
            return text.row
        for other in others:
            if not np.array_equal(self.rows[first], self.rows[other]):
                raise ValueError(
                    f"{self.path} has different vectors of the text {text[:80]!r}, in rows {first} and {other}: "
                    f"a vector belongs to its row; take the documents from {self._source}"
                )
        return first


def _check(rows: NDArray[Any], path: str) -> None:
    """Raise ValueError for what is not (n, d) finite floats with a direction."""
    if rows.ndim != 2 or not np.issubdtype(rows.dtype, np.floating) or not rows.size:
        raise ValueError(f"{path}: expected floats of shape (n, d), got {rows.dtype} of shape {rows.shape}")
    for start in range(0, len(rows), _BLOCK):
        directed = unit_rows(rows[start : start + _BLOCK], f"{path}, from row {start:,}").any(axis=1)
        if not directed.all():
            raise ValueError(
                f"{path}: expected rows with a direction, got one that is all zero (row "
                f"{start + int(directed.argmin()):,}); drop or repair such rows"
            )


def _load(path: Path) -> NDArray[Any]:
    """Read rows from a file; memory-mapped where the format allows it."""
    if not path.is_file():
        raise FileNotFoundError(f"encoder.path: no file {path}; expected .npy, .safetensors or .parquet")
    readers = {".npy": _npy, ".safetensors": _safetensors, ".parquet": _parquet}
    if path.suffix not in readers:
        raise ValueError(f"{path}: expected .npy, .safetensors or .parquet")
    try:
        return readers[path.suffix](path)
    except Exception as error:  # numpy, pyarrow and safetensors raise many kinds for a damaged file
        raise ValueError(f"{path} cannot be read: {error}") from error


def _npy(path: Path) -> NDArray[Any]:
    return read_array(path, mapped=True)


def _safetensors(path: Path) -> NDArray[Any]:
    from safetensors.numpy import load_file

    tensors = load_file(path)
    if "embedding" not in tensors and len(tensors) != 1:
        raise ValueError(f"expected one tensor, or one called 'embedding', got {sorted(tensors)}")
    return tensors.get("embedding", next(iter(tensors.values())))


def _parquet(path: Path) -> NDArray[Any]:
    import pyarrow.parquet as pq

    column = pq.read_table(path, columns=["embedding"])["embedding"].combine_chunks()
    if column.null_count or column.flatten().null_count:
        raise ValueError("expected a vector in every row of column 'embedding', got missing ones")
    widths = np.unique([len(row) for row in column])
    if len(widths) != 1:
        raise ValueError(f"expected vectors of one width, got {widths.tolist()[:5]}")
    return np.asarray(column.flatten()).reshape(len(column), -1)
