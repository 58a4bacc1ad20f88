"""Find an index's stores by their relative paths, so that both folders can move together."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from projhead.persistence.files import is_url
from projhead.store.store import EmbeddingStore


def told_of(store: EmbeddingStore, index: Path) -> dict[str, Any]:
    """Describe a store by its URL, or by its place from the index's folder, so that both can be moved together."""
    place = store.url or Path(os.path.relpath(store.folder.resolve(), index.resolve())).as_posix()
    return {"path": place, "corpus": store.manifest.corpus, "rows": len(store)}


def place_of(index: Path, told: str) -> str | Path:
    """Return the folder, or the URL, of a store that an index tells of."""
    if is_url(told):
        return told
    return Path(told) if Path(told).is_absolute() else Path(os.path.normpath(index.resolve() / told))


def opened(index: Path, place: str | Path, told: dict[str, Any], trusted: Sequence[str]) -> EmbeddingStore:
    """Open a store of an index.

    Raises
    ------
    FileNotFoundError
        If it is not there.
    ValueError
        If it was written again meanwhile.
    """
    try:
        store = EmbeddingStore.open(place, trusted=trusted)
    except FileNotFoundError as error:
        raise FileNotFoundError(
            f"{error}, which the index {index} is of: move both together, or say where it is (projhead search or "
            "index store=<folder>, Collection.open(..., stores=[<folder>]))"
        ) from error
    if (store.manifest.corpus, len(store)) != (told["corpus"], told["rows"]):
        raise ValueError(f"{place} was written again after the index {index}: build the index again")
    return store
