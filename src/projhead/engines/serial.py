"""One item after the other, in this process."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from projhead.protocols import Item, Result


class Serial:
    """Apply functions here, as results are asked for."""

    def map(self, function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        """Yield what `function` makes of every item, in order."""
        return map(function, items)
