"""Check that every document's id is unique."""

from __future__ import annotations

import hashlib
from array import array
from typing import Any

#: Places of the table at first, and how much of it may be taken.
_SIZE, _FULL = 1 << 10, 0.6


class RowIds:
    """Check ids as rows stream by, in some 25 bytes a row: sorted digests of 64 bits and their row numbers.

    Two different ids of ten million share a digest, and are refused as one, in 3 of a million cases.

    Parameters
    ----------
    source : str
        Where rows come from, for messages.
    column : str
        The column of the ids, for messages.
    """

    def __init__(self, source: str, column: str) -> None:
        self.source, self.column = source, column
        self._digests, self._rows = array("Q"), array("I")
        self._table = array("I", bytes(4 * _SIZE))  # numbers in _digests, from 1; 0 where nothing is

    def __call__(self, value: Any, row: int) -> str:
        """Return the id in a row as text.

        Raises
        ------
        ValueError
            If it is missing, neither text nor a whole number, no UTF-8, or that of an earlier row: ``1`` and ``"1"``
            are one id. Both rows are named, counted from 0.
        """
        where = f"{self.source}, row {row}: column {self.column!r}"
        if isinstance(value, bool) or not isinstance(value, str | int) or value == "":
            raise ValueError(f"{where}: expected an id, text or a whole number, got {value!r:.80}; give each row one")
        text = str(value)
        try:
            digest = int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest())
        except UnicodeEncodeError:
            raise ValueError(f"{where}: expected an id in UTF-8, got {value!r:.80}; repair it") from None
        before = self._enter(digest, row)
        if before is not None:
            raise ValueError(
                f"{where}: got the id {text!r:.80} again, which row {before} has (counted from 0; 1 and '1' are one "
                "id); give each row its own, or drop one"
            )
        return text

    def _enter(self, digest: int, row: int) -> int | None:
        """Take a digest in; return the row that has it already."""
        place = self._place(digest)
        if self._table[place]:
            return self._rows[self._table[place] - 1]
        self._digests.append(digest)
        self._rows.append(row)
        self._table[place] = len(self._digests)
        if len(self._digests) > _FULL * len(self._table):
            self._table = array("I", bytes(8 * len(self._table)))
            for number, known in enumerate(self._digests, start=1):
                self._table[self._place(known)] = number
        return None

    def _place(self, digest: int) -> int:
        """Return where in the table a digest is, or would be: the next free place from its own on."""
        last = len(self._table) - 1
        place = digest & last
        while (number := self._table[place]) and self._digests[number - 1] != digest:
            place = place + 1 & last
        return place
