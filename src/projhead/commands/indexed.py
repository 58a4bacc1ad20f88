"""What an index on disk says of the stores that its rows came from: row numbers run through all of them in order."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from projhead.indexes.base import BaseIndex
from projhead.store.store import EmbeddingStore


def source_of(store: EmbeddingStore) -> dict[str, Any]:
    """Describe a store for `BaseIndex.about`."""
    return {"path": str(store.folder.resolve()), "corpus": store.manifest.corpus, "rows": len(store)}


def stores_of(index: BaseIndex, path: Path) -> list[EmbeddingStore]:
    """Open the stores of an index.

    Raises
    ------
    FileNotFoundError, ValueError
        If the index is of no store; if one is not there any more, or was written again.
    """
    if not {"stores", "encoder"} <= set(index.metadata):
        raise ValueError(f"{path} does not say which stores it is of: 'projhead index' writes one that does")
    stores = []
    for source in index.metadata["stores"]:
        store = EmbeddingStore.open(source["path"])
        revision = index.metadata["encoder"]["revision"]
        if source_of(store) != source or store.manifest.encoder["revision"] != revision:
            raise ValueError(f"{source['path']} was written again after the index {path}: build the index again")
        stores.append(store)
    return stores


def document_ids(given: str | Iterable[Any]) -> list[str]:
    """Return ids from a list, or from a file with one a line."""
    if not isinstance(given, str):
        return [str(one) for one in given]
    return Path(given).read_text(encoding="utf-8").splitlines()


def documents_in(index: BaseIndex, stores: Sequence[EmbeddingStore]) -> tuple[NDArray[np.int64], NDArray[np.str_]]:
    """Return the row numbers that are in the index, and the ids of their documents."""
    held = index.ids.array[index.ids.array >= 0]
    return held, np.array([name for store in stores for name in store.ids])[held]


def numbers_of(index: BaseIndex, stores: Sequence[EmbeddingStore], ids: Sequence[str]) -> NDArray[np.int64]:
    """Return the row numbers of documents that are in the index.

    Raises
    ------
    ValueError
        If one is not.
    """
    held, names = documents_in(index, stores)
    missing = sorted(set(ids) - set(names.tolist()))
    if missing:
        raise ValueError(f"documents: {missing[0]!r} is not in the index ({len(missing):,} such); give ids that are")
    return held[np.isin(names, list(ids))]
