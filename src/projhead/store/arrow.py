"""A store's unit rows as Arrow record batches."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import ArrayLike, NDArray

from projhead.protocols import Rows
from projhead.vectors import Vectors, neighbor_overlap, unit_rows

#: What rows can be handed over as.
FORMS = ("float32", "float16", "int8", "bit")
FormName = Literal["float32", "float16", "int8", "bit"]
#: The column of the rows.
ROWS = "embedding"
_KEY = b"projhead"
#: Rows that a form is fitted to, and that are compared with all of themselves.
_FITTED, _COMPARED = 16_384, 2_000
_TOP_K = 10
#: Shares of the values that lie inside the range of int8; the one whose codes lie nearest to the rows is taken.
_INSIDE = (1.0, 0.9999, 0.999, 0.99)


class Form(NamedTuple):
    """How unit rows are handed over, and what that keeps.

    Codes are compared as they are. int8 has one scale for all dimensions, so that inner products of codes order rows as
    those of rows do (Wu et al., "Integer quantization for deep learning inference", 2020). Bits are signs, compared by
    Hamming distance (Charikar, "Similarity estimation techniques from rounding algorithms", 2002).

    Attributes
    ----------
    name : {"float32", "float16", "int8", "bit"}
    dimension : int
        Width of the rows.
    scale : float
        What an int8 code is to be multiplied by to be a row again.
    kept : float or None
        Share of the ten nearest neighbors that stay, codes compared with codes, on a sample of the store; None where it
        has too few rows to say.
    """

    name: str
    dimension: int
    scale: float = 1.0
    kept: float | None = None

    def codes(self, rows: ArrayLike) -> NDArray[Any]:
        """Return unit rows (n, d), of documents or queries, in this form: (n, d), or (n, ceil(d / 8)) bytes of bits.

        Raises
        ------
        ValueError
            If the width is another, or values are not finite.
        """
        unit = unit_rows(rows)
        if unit.shape[1] != self.dimension:
            raise ValueError(f"expected rows of width {self.dimension}, got {unit.shape[1]}: use the store's encoder")
        if self.name == "int8":
            codes: NDArray[Any] = np.clip(np.rint(unit / self.scale), -127, 127).astype(np.int8)
            return codes
        if self.name == "bit":
            return np.packbits(unit > 0, axis=1)
        floats: NDArray[Any] = unit.astype(self.name)
        return floats

    def values(self, codes: NDArray[Any]) -> Vectors:
        """Return what a comparison of raw codes compares, float32 (n, d): steps, or signs."""
        if self.name == "bit":
            return np.unpackbits(codes, axis=1, count=self.dimension) * np.float32(2) - 1
        return codes.astype(np.float32)

    @property
    def type(self) -> pa.DataType:
        """Arrow's type of a row."""
        kind, items = (pa.uint8(), -(-self.dimension // 8)) if self.name == "bit" else (None, self.dimension)
        return pa.list_(kind or pa.from_numpy_dtype(np.dtype(self.name)), items)

    def __str__(self) -> str:
        kept = "" if self.kept is None else f", which keep {self.kept:.1%} of the 10 nearest on a sample"
        return f"rows as {self.name}{kept}"

    @classmethod
    def of(cls, schema: pa.Schema) -> Form:
        """Return the form that `to_arrow` wrote into a schema: what queries are to be put into.

        Raises
        ------
        ValueError
            If it says of none.
        """
        told = (schema.metadata or {}).get(_KEY)
        if told is None:
            raise ValueError("expected the schema of store.to_arrow(...), got one without its 'projhead' metadata")
        return cls(**json.loads(told))


class _Stored(Rows, Protocol):
    """Rows with what is stored beside them, by the same numbers."""

    @property
    def folder(self) -> Path: ...

    @property
    def table(self) -> pa.Table: ...


def fitted_form(rows: Rows, name: str) -> Form:
    """Return a form, fitted to some of the rows, evenly spaced, and measured on fewer.

    Raises
    ------
    ValueError
        If there is no form of that name.
    """
    if name not in FORMS:
        raise ValueError(f"rows: expected one of {', '.join(FORMS)}, got {name!r}")
    sample = unit_rows(rows.take(evenly(len(rows), _FITTED)))
    scale = _scale(sample) if name == "int8" else 1.0
    form = Form(name, rows.dimension, scale)
    if len(sample) <= _TOP_K:
        return form
    some = sample[evenly(len(sample), _COMPARED)]
    values = form.values(form.codes(some))
    values /= np.linalg.norm(values[0]) or 1  # ties are told apart at the scale of unit rows
    return form._replace(kept=float(neighbor_overlap(some, values, [_TOP_K]).mean()))


def _scale(rows: Vectors) -> float:
    sizes = np.abs(rows)
    ends = [max(float(end), 1e-30) for end in np.quantile(sizes, _INSIDE)]
    errors = [float(np.square(sizes - (np.rint(sizes * 127 / end)).clip(max=127) * end / 127).sum()) for end in ends]
    return ends[int(np.argmin(errors))] / 127


def evenly(n: int, most: int) -> NDArray[np.int64]:
    """Return at most `most` of the numbers 0 to n - 1, evenly spaced."""
    return np.unique(np.linspace(0, n - 1, min(most, n)).astype(np.int64))


def reader(
    store: _Stored, name: str, columns: Sequence[str] | None, batch_rows: int, start: int = 0
) -> pa.RecordBatchReader:
    """Return what `EmbeddingStore.to_arrow` returns, from row `start` on.

    Raises
    ------
    ValueError
        If there is no such form or column, or a batch would hold no row.
    """
    have = [column for column in store.table.column_names if column != ROWS]
    kept = have if columns is None else ["id", *(one for one in columns if one != "id")]
    if unknown := [one for one in kept if one not in have]:
        raise ValueError(f"columns: the store {store.folder} keeps {', '.join(have)}, got {unknown[0]!r}")
    if batch_rows < 1:
        raise ValueError(f"batch_rows: expected a positive number, got {batch_rows}")
    form = fitted_form(store, name)
    fields = [*(store.table.schema.field(column) for column in kept), pa.field(ROWS, form.type)]
    schema = pa.schema(fields, {_KEY: json.dumps(form._asdict()).encode()})
    return pa.RecordBatchReader.from_batches(schema, _batches(store, form, schema, kept, batch_rows, start))


def _batches(
    store: _Stored, form: Form, schema: pa.Schema, kept: Sequence[str], batch_rows: int, start: int
) -> Iterator[pa.RecordBatch]:
    for first in range(start, len(store), batch_rows):
        part = store.table.slice(first, batch_rows).combine_chunks()
        codes = form.codes(store.take(range(first, first + len(part))))
        rows = pa.FixedSizeListArray.from_arrays(pa.array(codes.ravel()), codes.shape[1])
        columns = [part[column].chunk(0).cast(schema.field(column).type) for column in kept]
        yield pa.record_batch([*columns, rows], schema=schema)
