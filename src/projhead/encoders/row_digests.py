"""Stand-ins for the texts of rows that have none."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any, overload

from numpy.typing import NDArray

from projhead.data import RowText


class RowDigests(Sequence[RowText]):
    """The digest of each row, made when it is asked for: of ten million rows they would take gigabytes.

    Parameters
    ----------
    rows : ndarray of shape (n, d)
        Perhaps memory-mapped.
    source : str
        Their file.
    """

    def __init__(self, rows: NDArray[Any], source: str) -> None:
        self.rows, self.source = rows, source

    def __len__(self) -> int:
        return len(self.rows)

    @overload
    def __getitem__(self, number: int) -> RowText: ...
    @overload
    def __getitem__(self, number: slice) -> Sequence[RowText]: ...
    def __getitem__(self, number: int | slice) -> RowText | Sequence[RowText]:
        if isinstance(number, slice):
            return [self[one] for one in range(*number.indices(len(self)))]
        return RowText(hashlib.sha256(self.rows[number].tobytes()).hexdigest(), self.source, number)
