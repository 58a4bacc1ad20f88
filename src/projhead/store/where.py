"""Select a store's rows by their columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

_ENDS = {"min": pc.greater_equal, "max": pc.less_equal}


def matching(table: pa.Table, where: Mapping[str, Any]) -> NDArray[np.int64]:
    """Return the numbers of the rows that meet every condition, in order.

    Parameters
    ----------
    table : pyarrow.Table
    where : mapping of column to value
        A value, a list of which one must be there, or ``{"min": ..., "max": ...}`` with one end or both. A row without
        a value meets no condition.

    Raises
    ------
    ValueError
        If there is no such column, or its values cannot be compared with what is asked.
    """
    kept = np.ones(len(table), bool)
    for name, asked in where.items():
        if name not in table.column_names:
            known = ", ".join(map(repr, table.column_names)) or "none"
            raise ValueError(f"where: expected a column that the store keeps, of {known}; got {name!r}")
        kept &= _meets(table[name], asked, name)
    return np.flatnonzero(kept)


def _meets(column: pa.ChunkedArray, asked: Any, name: str) -> NDArray[np.bool_]:
    try:
        if isinstance(asked, Mapping):
            if not asked or not asked.keys() <= _ENDS.keys():
                raise ValueError("expected min and max, one or both")
            met = None
            for end, value in asked.items():
                one = _ENDS[end](column, _scalar(value, column.type))
                met = one if met is None else pc.and_(met, one)
        else:
            values = list(asked) if isinstance(asked, Sequence) and not isinstance(asked, str) else [asked]
            met = pc.is_in(column, pa.array([_scalar(value, column.type).as_py() for value in values], column.type))
    except (pa.ArrowException, ValueError, TypeError) as error:
        raise ValueError(
            f"where: expected values of {column.type} for column {name!r}, got {asked!r}: {error}"
        ) from error
    found: NDArray[np.bool_] = pc.fill_null(met, False).to_numpy().astype(bool)
    return found


def _scalar(value: Any, kind: pa.DataType) -> pa.Scalar:
    """Return a value in a column's type: of a date or time a string will do."""
    return pa.scalar(value).cast(kind) if isinstance(value, str) else pa.scalar(value, kind)
