"""Ids of documents on a command line."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any


def ids_of(given: str | Iterable[Any]) -> list[str]:
    """Return ids from a list, or from a file with one a line."""
    if not isinstance(given, str):
        return [str(one) for one in given]
    return Path(given).read_text(encoding="utf-8").splitlines()
