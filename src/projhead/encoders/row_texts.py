"""The texts of rows, each of which knows its row."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import overload

from projhead.data import RowText


class RowTexts(Sequence[RowText]):
    """The text of each row, made when it is asked for.

    Parameters
    ----------
    texts : sequence of str
        Such as a `TextColumn`, or `RowDigests`.
    source : str
        The file of the rows.
    """

    def __init__(self, texts: Sequence[str], source: str) -> None:
        self.texts, self.source = texts, source

    def __len__(self) -> int:
        return len(self.texts)

    @overload
    def __getitem__(self, number: int) -> RowText: ...
    @overload
    def __getitem__(self, number: slice) -> Sequence[RowText]: ...
    def __getitem__(self, number: int | slice) -> RowText | Sequence[RowText]:
        if isinstance(number, slice):
            return [self[one] for one in range(*number.indices(len(self)))]
        return RowText(self.texts[number], self.source, range(len(self))[number])

    def __iter__(self) -> Iterator[RowText]:
        return (RowText(text, self.source, number) for number, text in enumerate(self.texts))
