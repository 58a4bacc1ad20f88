"""One progress bar at a time: inner work moves the outer bar."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from tqdm.auto import tqdm

_outer: ContextVar[Any] = ContextVar("outer", default=None)
#: Shows nothing; one for all, since to make one takes as long as half a query's tokens.
_SILENT: Any = tqdm(disable=True)


@contextmanager
def progress(total: int | None, title: str, *, shown: bool, unit: str = "text", done: int = 0) -> Iterator[Any]:
    """Show a bar in a terminal or a notebook, or hand out the one that is there already.

    Parameters
    ----------
    total : int or None
        Of how many, where that is known.
    title : str
    shown : bool
        Whether there is a bar, if there is none yet.
    unit : str
    done : int
        How many were done before.
    """
    if (outer := _outer.get()) is not None or not shown:
        yield _SILENT if outer is None else outer
        return
    with tqdm(total=total, initial=done, desc=title, unit=unit) as bar:
        token = _outer.set(bar)
        try:
            yield bar
        finally:
            _outer.reset(token)
