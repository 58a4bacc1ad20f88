"""Convert tensors, columns of lists, Arrow and JSON to one array of floats."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeGuard

import numpy as np
import pyarrow as pa
import scipy.sparse
from numpy.typing import NDArray

if TYPE_CHECKING:
    import torch


def as_rows(x: Any, name: str = "vectors") -> Any:
    """Return vectors as an array (n, d); what numpy and scikit-learn read themselves stays as it is.

    Parameters
    ----------
    x : array-like
        An array of numpy (of any kind of memory); a tensor, also one with gradients, of bfloat16 or on a GPU; a column
        of lists, arrays or JSON strings of pandas, polars, Arrow (lists of fixed and of any size) or numpy, also as the
        only one of a table; a list of lists, arrays or tensors.
    name : str
        What the vectors are, for the error.

    Returns
    -------
    array-like of shape (n, d)
        Tensors in floats that numpy lacks come as float32.

    Raises
    ------
    TypeError
        If it is something that holds vectors once it is read, such as a path.
    ValueError
        If a column holds something else than vectors of one width, or entries are masked.
    """
    if type(x) is np.ndarray and x.dtype.kind in "fiu":  # what nearly all give: each question below would take longer
        return x
    if is_tensor(x):
        return _of_tensor(x, name)
    if scipy.sparse.issparse(x):  # of one kind that is a dict too
        return x
    if isinstance(x, str | bytes | Mapping | Iterator) or hasattr(x, "collect"):
        raise TypeError(
            f"{name}: expected vectors (n, d), such as an array, a tensor or a column of lists, got a "
            f"{type(x).__name__}; read it first"
        )
    if isinstance(x, list | tuple):
        return _of_sequence(x, name)
    if (names := getattr(x, "column_names", getattr(x, "columns", None))) is not None:
        return _of_table(x, list(names), name)
    if isinstance(x, pa.Array | pa.ChunkedArray):
        return of_arrow(x, name)
    if hasattr(x, "__arrow_c_stream__") and hasattr(x, "to_arrow"):
        return of_arrow(x.to_arrow(), name)  # a column of polars
    if isinstance(x, np.ma.MaskedArray) and np.ma.is_masked(x):  # numpy would take what is behind the mask
        raise ValueError(f"{name}: expected numbers, got masked ones; drop or fill such rows")
    if isinstance(x, np.ndarray):
        return _stacked(x, name) if x.dtype.kind in "OU" and x.ndim == 1 else x
    if hasattr(x, "to_numpy") and getattr(x, "ndim", 2) == 1:  # a column of pandas
        return as_rows(x.to_numpy(), name)
    return x


def is_tensor(x: Any) -> TypeGuard[torch.Tensor]:
    """Say whether something is a tensor, which nobody has who has not imported torch."""
    return (torch := sys.modules.get("torch")) is not None and isinstance(x, torch.Tensor)


def of_arrow(column: pa.Array | pa.ChunkedArray, name: str = "vectors") -> NDArray[Any]:
    """Return an Arrow column of lists or JSON strings as an array (n, d), one chunk of floats without a copy.

    Raises
    ------
    ValueError
        If it holds something else, or not in every row, or widths differ.
    """
    chunks = column.chunks if isinstance(column, pa.ChunkedArray) else [column]
    chunks = [_plain(chunk) for chunk in chunks if len(chunk)]
    if not chunks:
        raise ValueError(f"{name}: expected vectors, got an empty column of {column.type}")
    if _is_text(chunks[0].type):
        return _stacked([text for chunk in chunks for text in chunk.to_pylist()], name)
    parts, start = [], 0
    for chunk in chunks:
        parts.append(_of_lists(chunk, name, start))
        start += len(chunk)
    _expect_one_width({part.shape[1] for part in parts}, name)
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def _plain(chunk: Any) -> Any:
    """Return an Arrow array without a type of somebody's own around it, and without a dictionary."""
    if isinstance(chunk, pa.ExtensionArray):
        return chunk.storage
    return chunk.dictionary_decode() if isinstance(chunk, pa.DictionaryArray) else chunk


def _of_sequence(x: Sequence[Any], name: str) -> Any:
    """Return a list of vectors as an array (n, d); of plain numbers it stays what it is."""
    if len(x) == 0 or isinstance(x[0], int | float | np.number):
        return x
    if isinstance(x[0], list | tuple):
        try:
            return np.asarray(x)  # all at once, in half the time
        except ValueError:  # which says neither what nor where
            pass
    return _stacked(x, name)


def _of_table(x: Any, names: list[Any], name: str) -> Any:
    """Return the only column of a table where it holds vectors; a table with a column for each dimension as it is."""
    if len(set(names)) < len(names):  # of pandas alone, which gives tables for such names
        return x
    firsts = {one: next(iter(x[one]), None) for one in names}
    vectors = [one for one, first in firsts.items() if not isinstance(first, str) and _has_entries(first)]
    if not vectors:
        return x
    if len(names) > 1:
        raise ValueError(
            f"{name}: expected vectors, got a table with the columns {', '.join(map(str, names[:9]))}; give the one "
            f"that holds them, such as table[{vectors[0]!r}]"
        )
    return as_rows(x[names[0]], name)


def _has_entries(value: Any) -> bool:
    """Say whether a cell of a table is a vector."""
    value = value.as_py() if isinstance(value, pa.Scalar) else value
    return isinstance(value, Sequence) or (hasattr(value, "__len__") and hasattr(value, "__getitem__"))


def _of_tensor(tensor: torch.Tensor, name: str) -> NDArray[Any]:
    known = tensor.detach().resolve_conj().resolve_neg()
    if known.is_meta or known.is_nested or known.is_quantized or str(known.layout) != "torch.strided":
        kind = "nested" if known.is_nested else known.dtype if known.is_quantized else known.layout
        raise ValueError(
            f"{name}: expected a tensor with an entry at every place, got one on {known.device} of {kind}; "
            "make it dense first, by to_dense() or dequantize()"
        )
    known = known.cpu()
    rows: NDArray[Any] = (known if _in_numpy(known.dtype) else known.float()).numpy()
    return rows


def _in_numpy(dtype: torch.dtype) -> bool:
    import torch

    return not dtype.is_floating_point or dtype in (torch.float16, torch.float32, torch.float64)


def _is_text(kind: pa.DataType) -> bool:
    return any(of(kind) for of in (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view))


def _of_lists(chunk: Any, name: str, start: int) -> NDArray[Any]:
    """Return one chunk of lists as an array (n, d); `start` is the number of its first row."""
    kind = chunk.type
    if not hasattr(kind, "value_type") or not _is_number(kind.value_type):
        raise ValueError(f"{name}: expected lists of numbers, or JSON of such, got a column of {kind}")
    if chunk.null_count:
        row = start + chunk.is_null().to_pylist().index(True)
        raise ValueError(f"{name}: expected a vector in every row, got none in row {row}; drop or fill such rows")
    values = chunk.flatten()
    if values.null_count:
        raise ValueError(f"{name}: expected numbers, got missing ones within vectors; drop or repair such rows")
    _expect_one_width(pa.compute.list_value_length(chunk).unique().to_pylist(), name)
    rows: NDArray[Any] = values.to_numpy(zero_copy_only=False).reshape(len(chunk), -1)
    return rows


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_floating(kind) or pa.types.is_integer(kind))


def _stacked(vectors: Iterable[Any], name: str) -> NDArray[Any]:
    """Return vectors one by one, lists, arrays, tensors or JSON, as an array (n, d)."""
    rows = [_row(one, f"{name}, row {number}") for number, one in enumerate(vectors)]
    _expect_one_width({len(row) for row in rows}, name)
    return np.stack(rows)


def _row(one: Any, where: str) -> NDArray[Any]:
    """Return one vector (d,)."""
    found = one
    if isinstance(one, str):
        try:
            found = json.loads(one)
        except json.JSONDecodeError:
            raise ValueError(f"{where}: expected JSON such as '[0.1, -0.2]', got {one!r:.80}") from None
    if is_tensor(found):
        found = _of_tensor(found, where)
    row = np.asarray(found) if isinstance(found, Sequence | np.ndarray) and _flat(found) else None
    if row is None or row.ndim != 1 or row.dtype.kind not in "fiu":
        raise ValueError(f"{where}: expected a list of numbers, got {one!r:.80}; drop or repair such rows")
    # JSON knows no float32: what was written from it comes back as it was.
    return row.astype(np.float32) if isinstance(one, str) else row


def _flat(found: Any) -> bool:
    """Say whether something holds numbers alone, which numpy reads without an error of its own."""
    return isinstance(found, np.ndarray) or all(
        isinstance(value, int | float | np.number) and not isinstance(value, bool) for value in found
    )


def _expect_one_width(widths: Iterable[int], name: str) -> None:
    if len(known := sorted(set(widths))) > 1:
        raise ValueError(f"{name}: expected vectors of one width, got {known[:5]}; drop or repair the others")
