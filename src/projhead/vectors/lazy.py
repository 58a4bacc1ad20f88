"""Rows that are read where they are asked for."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray


class LazyRows(ABC):
    """Rows (n, d) that no memory has to hold at once, read by slice, number, numbers or mask, as of an array.

    Attributes
    ----------
    shape : tuple of int
    dtype : numpy.dtype
    """

    ndim = 2

    def __init__(self, n: int, d: int, dtype: np.dtype[Any]) -> None:
        self.shape, self.dtype = (n, d), dtype

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key: Any) -> NDArray[Any]:
        if isinstance(key, tuple):
            rows, *columns = key
            return self[rows][..., *columns]
        if isinstance(key, slice):
            start, stop, step = key.indices(len(self))
            return self._between(start, max(start, stop)) if step == 1 else self._taken(np.arange(start, stop, step))
        numbers = np.asarray(key)
        if numbers.dtype == bool:
            if numbers.shape != (len(self),):
                raise IndexError(f"expected a mask of {len(self):,} rows, got one of shape {numbers.shape}")
            numbers = np.flatnonzero(numbers)
        if numbers.size and not -len(self) <= numbers.min() <= numbers.max() < len(self):
            raise IndexError(f"expected numbers of {len(self):,} rows, got {numbers.min()} to {numbers.max()}")
        whole = np.atleast_1d(numbers).astype(np.int64, copy=False)
        taken = self._taken(np.where(whole < 0, whole + len(self), whole))
        return taken if numbers.ndim else taken[0]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        """Read all rows."""
        return self[:].astype(dtype or self.dtype, copy=bool(copy))

    @abstractmethod
    def _between(self, start: int, stop: int) -> NDArray[Any]:
        """Return the rows from one number to before another."""

    @abstractmethod
    def _taken(self, numbers: NDArray[np.int64]) -> NDArray[Any]:
        """Return rows (m, d) by their numbers."""


def chosen_rows(rows: NDArray[Any], numbers: NDArray[np.int64]) -> NDArray[Any]:
    """Return some rows of others, perhaps memory-mapped or lazy, such as those of one split, to be read as needed.

    Parameters
    ----------
    rows : array of shape (n, d)
    numbers : ndarray of shape (m,), int64
        Which of them, in order.

    Returns
    -------
    LazyRows of shape (m, d)
        Which answers as an array does where rows are asked for.
    """
    return cast("NDArray[Any]", _ChosenRows(rows, numbers))


class JoinedRows(LazyRows):
    """The rows of several arrays, one after another.

    Parameters
    ----------
    parts : sequence of array of shape (rows, d)
        Perhaps memory-mapped or lazy; at least one.
    """

    def __init__(self, parts: Sequence[NDArray[Any]]) -> None:
        self.parts, self._ends = list(parts), np.cumsum([len(part) for part in parts])
        super().__init__(int(self._ends[-1]), self.parts[0].shape[1], np.result_type(*(one.dtype for one in parts)))

    def _between(self, start: int, stop: int) -> NDArray[Any]:
        found = []
        for part, end in zip(self.parts, self._ends, strict=True):
            first = end - len(part)
            if len(read := part[max(start - first, 0) : max(stop - first, 0)]):
                found.append(self._rows(read))
        return found[0] if len(found) == 1 else np.concatenate([np.empty((0, self.shape[1]), self.dtype), *found])

    def _taken(self, numbers: NDArray[np.int64]) -> NDArray[Any]:
        taken, of = np.empty((len(numbers), self.shape[1]), self.dtype), np.searchsorted(self._ends, numbers, "right")
        for number in np.unique(of):
            part, mine = self.parts[number], of == number
            taken[mine] = self._rows(part[numbers[mine] - (self._ends[number] - len(part))])
        return taken

    def _rows(self, read: NDArray[Any]) -> NDArray[Any]:
        """Return the rows of what was read of a part."""
        return read


class _ChosenRows(LazyRows):
    def __init__(self, rows: NDArray[Any], numbers: NDArray[np.int64]) -> None:
        super().__init__(len(numbers), rows.shape[1], rows.dtype)
        self.rows, self.numbers = rows, numbers

    def _between(self, start: int, stop: int) -> NDArray[Any]:
        chosen: NDArray[Any] = self.rows[self.numbers[start:stop]]
        return chosen

    def _taken(self, numbers: NDArray[np.int64]) -> NDArray[Any]:
        chosen: NDArray[Any] = self.rows[self.numbers[numbers]]
        return chosen
