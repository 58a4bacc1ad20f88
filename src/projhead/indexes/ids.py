"""Map ids to the places of an index."""

from __future__ import annotations

from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from projhead.persistence.arrays import read_array
from projhead.persistence.files import write_array

Places = NDArray[np.int64]
_FILE = "ids.npy"


class Ids:
    """Ids by place: 0, 1, 2, ... at no cost until told otherwise, then eight bytes each.

    Parameters
    ----------
    values : range or ndarray of shape (n,), int64
        The id in each place; -1 where a row was deleted and its place stays empty.
    """

    def __init__(self, values: range | Places) -> None:
        self._values = values

    @classmethod
    def of(cls, n: int, ids: ArrayLike | None) -> Ids:
        """Take `n` ids, or 0 to n - 1 where none are given.

        Raises
        ------
        ValueError
            If there are not `n`, or one is negative, no whole number, or there twice.
        """
        return cls(range(0)).added(n, ids)

    def __len__(self) -> int:
        """How many rows there are, deleted ones not counted."""
        return len(self._values) if isinstance(self._values, range) else int((self._values >= 0).sum())

    @property
    def n_places(self) -> int:
        """Places so far, those of deleted rows counted."""
        return len(self._values)

    @property
    def array(self) -> Places:
        """The id in each place (n_places,), int64; -1 where there is none any more."""
        return np.asarray(self._values, np.int64)

    @property
    def nbytes(self) -> int:
        """Bytes in memory."""
        return 0 if isinstance(self._values, range) else self._values.nbytes

    def added(self, n: int, ids: ArrayLike | None) -> Ids:
        """Return these ids and `n` more: the given ones, or those after the largest.

        Raises
        ------
        ValueError
            As `of`, or if one is here already.
        """
        if ids is None:
            if isinstance(self._values, range):
                return Ids(range(len(self._values) + n))
            first = int(self._values.max(initial=-1)) + 1
            return Ids(np.concatenate([self._values, np.arange(first, first + n)]))
        new = _checked(ids, n)
        if isinstance(self._values, range) and np.array_equal(new, np.arange(len(self), len(self) + n)):
            return Ids(range(len(self) + n))
        twice = new[np.isin(new, self.array)]
        if len(twice):
            raise ValueError(
                f"ids: {int(twice[0])} is in the index already ({len(twice):,} such); delete it first, or give another"
            )
        return Ids(np.concatenate([self.array, new]))

    def places(self, ids: ArrayLike) -> Places:
        """Return where ids lie, in order of place.

        Raises
        ------
        ValueError
            If one is not here.
        """
        wanted, here = np.unique(np.asarray(ids, np.int64)), self.array
        missing = wanted[~np.isin(wanted, here) | (wanted < 0)]
        if len(missing):
            raise ValueError(f"ids: {int(missing[0])} is not in the index ({len(missing):,} such); give ids that are")
        return np.flatnonzero(np.isin(here, wanted))

    def without(self, places: Places, *, close: bool) -> Ids:
        """Return the ids after a deletion: later rows move up (`close`), or their places stay empty."""
        left = self.array.copy()
        if close:
            return Ids(np.delete(left, places))
        left[places] = -1
        return Ids(left)

    def write(self, folder: Path) -> None:
        """Write them into a folder, where they are not plain numbers."""
        if not isinstance(self._values, range):
            write_array(folder / _FILE, self._values)

    @classmethod
    def read(cls, folder: Path, n_places: int) -> Self:
        """Read what `write` wrote.

        Raises
        ------
        ValueError
            If it is something else.
        """
        file = folder / _FILE
        if not file.is_file():
            return cls(range(n_places))
        values = read_array(file)
        # Of the first of two stages there may be fewer: rows after a deleted one move up.
        if values.ndim != 1 or len(values) > n_places or values.dtype != np.int64 or values.min(initial=0) < -1:
            raise ValueError(
                f"{file}: expected {n_places:,} ids of rows, got {values.dtype} of shape {values.shape}; build it again"
            )
        return cls(values)

    def at(self, places: Places) -> Places:
        """Return the ids in places (any shape), -1 where the place is -1.

        Raises
        ------
        ValueError
            If there are not so many places: parts of the index are not of one build.
        """
        if places.max(initial=-1) >= self.n_places:
            raise ValueError(f"the index found row {int(places.max())} of {self.n_places}: build it again")
        if isinstance(self._values, range):
            return places
        return np.where(places >= 0, self._values[places], -1)


def _checked(ids: ArrayLike, n: int) -> Places:
    given = np.asarray(ids)
    if given.shape != (n,) or given.dtype.kind not in "iu":
        raise ValueError(f"ids: expected {n:,} whole numbers, one per row, got {given.dtype} of shape {given.shape}")
    values: Places = given.astype(np.int64)
    if n and values.min() < 0:
        raise ValueError(f"ids: expected numbers from 0 on, got {int(values.min())}")
    unique, counts = np.unique(values, return_counts=True)
    if len(unique) < n:
        raise ValueError(f"ids: expected each once, got {int(unique[counts > 1][0])} twice; drop duplicates")
    return values
