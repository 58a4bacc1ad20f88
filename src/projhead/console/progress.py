"""One progress bar at a time: inner work moves the outer bar."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from tqdm.auto import tqdm

_outer: ContextVar[Any] = ContextVar("outer", default=None)


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
    if _outer.get() is not None:
        yield _outer.get()
        return
    with tqdm(total=total, initial=done, desc=title, unit=unit, disable=not shown) as bar:
        token = _outer.set(bar if shown else None)
        try:
            yield bar
        finally:
            _outer.reset(token)
