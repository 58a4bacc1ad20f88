"""The texts of rows, each of which knows its row."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import overload

from projhead.corpora.text_column import TextColumn
from projhead.data import RowText


class RowTexts(Sequence[RowText]):
    """The text of each row, made when it is asked for.

    Parameters
    ----------
    texts : iterable of str
    source : str
        Their file.
    """

    def __init__(self, texts: Iterable[str], source: str) -> None:
        self.texts, self.source = TextColumn(texts), source

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
