"""Stand-ins for the texts of rows that have none."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any, overload

from numpy.typing import NDArray


class RowDigests(Sequence[str]):
    """The digest of each row, made when it is asked for: of ten million rows they would take gigabytes.

    Parameters
    ----------
    rows : ndarray of shape (n, d)
        Perhaps memory-mapped.
    """

    def __init__(self, rows: NDArray[Any]) -> None:
        self.rows = rows

    def __len__(self) -> int:
        return len(self.rows)

    @overload
    def __getitem__(self, number: int) -> str: ...
    @overload
    def __getitem__(self, number: slice) -> list[str]: ...
    def __getitem__(self, number: int | slice) -> str | list[str]:
        if isinstance(number, slice):
            return [hashlib.sha256(row.tobytes()).hexdigest() for row in self.rows[number]]
        return hashlib.sha256(self.rows[number].tobytes()).hexdigest()
