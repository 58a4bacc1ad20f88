"""Read files of vectors, with the other columns of their rows."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa
from numpy.typing import NDArray

from projhead.corpora.readers import read_rows
from projhead.persistence.arrays import read_array
from projhead.vectors.as_rows import as_rows, of_arrow

#: What vectors are called where nobody says.
_COLUMN = "embedding"
#: What columns a table has, and what reads some of them.
_Table = tuple[pa.Schema, Callable[[list[str]], pa.Table]]


class VectorFile:
    """Vectors (n, d) of a file, and the other columns of its rows where it is a table.

    Parameters
    ----------
    path : Path
        .npy (memory-mapped), .safetensors, or a table: .parquet, .arrow, .feather, .jsonl, .json, .csv, .tsv. Vectors
        of a table are lists of any kind of float, or JSON of such.
    column : str, optional
        The column, or the tensor, of the vectors: where not given ``embedding``, or the only one of numbers in lists.

    Attributes
    ----------
    rows : ndarray of shape (n, d)

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it cannot be read, or holds no vectors.
    """

    def __init__(self, path: Path, column: str | None = None) -> None:
        self.path, self.column = path, column
        known = (".npy", ".safetensors", *_TABLES)
        if not path.is_file():
            raise FileNotFoundError(f"encoder.path: no file {path}; expected {', '.join(known)}")
        if path.suffix not in known:
            hint = "; a pickle runs code: save the tensor as .safetensors" if path.suffix in (".pt", ".pkl") else ""
            raise ValueError(f"{path}: expected {', '.join(known)}{hint}")
        try:
            self.rows = self._read()
        except Exception as error:  # numpy, pyarrow and safetensors raise many kinds for a damaged file
            raise ValueError(f"{path} cannot be read: {error}") from error

    @cached_property
    def others(self) -> pa.Table | None:
        """The other columns, in the order of the rows; None where the file is no table."""
        if self.path.suffix not in _TABLES:
            return None
        schema, read = self._table
        table = read([name for name in schema.names if name != self.column])
        return table.cast(pa.schema([(field.name, _plain(field.type)) for field in table.schema]))

    @cached_property
    def _table(self) -> _Table:
        return _TABLES[self.path.suffix](self.path)

    def _read(self) -> NDArray[Any]:
        if self.path.suffix == ".npy":
            return read_array(self.path, mapped=True)
        if self.path.suffix == ".safetensors":
            return self._tensor()
        schema, read = self._table
        self.column = self._chosen(schema)
        return of_arrow(read([self.column])[self.column], f"column {self.column!r}")

    def _tensor(self) -> NDArray[Any]:
        from safetensors import safe_open

        with safe_open(self.path, "pt") as file:
            names = list(file.keys())
            wanted = self.column or (names[0] if len(names) == 1 else _COLUMN)
            if wanted not in names:
                expected = "one tensor, or one called 'embedding'" if self.column is None else f"a tensor {wanted!r}"
                raise ValueError(f"expected {expected}, got {sorted(names)}; name it with encoder.column=...")
            rows: NDArray[Any] = as_rows(file.get_tensor(wanted))
        return rows

    def _chosen(self, schema: pa.Schema) -> str:
        """Return the name of the column of vectors."""
        wanted = self.column or _COLUMN
        if wanted in schema.names:
            return wanted
        lists = [] if self.column else [field.name for field in schema if _holds_floats(field.type)]
        if len(lists) != 1:
            raise ValueError(
                f"expected vectors in a column {wanted!r}, got the columns {', '.join(map(repr, schema.names))}; name "
                "theirs with encoder.column=..."
            )
        return str(lists[0])


def _holds_floats(kind: pa.DataType) -> bool:
    return not pa.types.is_dictionary(kind) and pa.types.is_floating(getattr(kind, "value_type", pa.null()))


def _plain(kind: pa.DataType) -> pa.DataType:
    """Return a type whose values Python can hold and give back."""
    if isinstance(kind, pa.BaseExtensionType):
        return kind.storage_type
    if pa.types.is_dictionary(kind):
        return kind.value_type
    return pa.string() if pa.types.is_null(kind) else kind


def _parquet(path: Path) -> _Table:
    import pyarrow.parquet as pq

    return pq.read_schema(path), lambda columns: pq.read_table(path, columns=columns)


def _arrow(path: Path) -> _Table:
    source = pa.memory_map(str(path))
    try:
        table = pa.ipc.open_file(source).read_all()
    except pa.ArrowInvalid:
        source.seek(0)
        table = pa.ipc.open_stream(source).read_all()
    return table.schema, table.select


def _rows(path: Path) -> _Table:
    rows = list(read_rows(str(path), []))
    names = dict.fromkeys(name for row in rows for name in row)
    table = pa.table({name: pa.array([row.get(name) for row in rows]) for name in names})
    return table.schema, table.select


_TABLES: dict[str, Callable[[Path], _Table]] = {
    ".parquet": _parquet,
    ".arrow": _arrow,
    ".feather": _arrow,
    **dict.fromkeys((".jsonl", ".json", ".csv", ".tsv"), _rows),
}
