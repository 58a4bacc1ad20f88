"""``projhead index``: a search index over a store, rows added to one, and rows deleted from one."""

from __future__ import annotations

import inspect
import time
from pathlib import Path
from typing import Any

from hydra.utils import get_class, instantiate
from omegaconf import DictConfig

from projhead.commands.indexed import document_ids, documents_in, numbers_of, source_of, stores_of
from projhead.indexes.base import BaseIndex, load_index
from projhead.store.store import EmbeddingStore


def run(cfg: DictConfig) -> int:
    """Build an index, or change the one at `path`; return the number of rows in it."""
    path, started = Path(cfg.out), time.perf_counter()
    changes = cfg.add is not None or cfg.delete is not None
    if changes == (cfg.store is not None):
        raise ValueError(
            f"expected store=... to build {path}, or add=... or delete=... to change it, got "
            + ("both" if changes else "none of them")
        )
    index = load_index(path) if changes else _built(cfg)
    if cfg.delete is not None:
        deleted = index.delete(numbers_of(index, stores_of(index, path), document_ids(cfg.delete)))
        print(f"deleted {deleted:,} rows")
    if cfg.add is not None:
        _add(index, EmbeddingStore.open(cfg.add), path)
    seconds = time.perf_counter() - started
    index.save(path)
    size = sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
    print(
        f"{len(index):,} rows of {index.dimension} in {path}: {size / 1e6:,.1f} MB on disk, {index.nbytes / 1e6:,.1f} "
        f"in memory ({seconds:.1f} s)\nask it: projhead search index={path} \"query='...'\""
    )
    return len(index)


def _built(cfg: DictConfig) -> BaseIndex:
    store = EmbeddingStore.open(cfg.store)
    index: BaseIndex = instantiate(cfg.index, **_codec(cfg))
    index.build(store)
    index.metadata = {"encoder": store.manifest.encoder, "stores": [source_of(store)]}
    return index


def _codec(cfg: DictConfig) -> dict[str, Any]:
    """Return the codec asked for as an argument of the index."""
    if cfg.get("codec") is None:  # absent where the group is null
        return {}
    codec = instantiate(cfg.codec)
    if "codec" not in inspect.signature(get_class(cfg.index._target_)).parameters:
        raise ValueError(
            f"{cfg.index._target_} stores rows in its own way, got codec={codec.name}: leave the codec out, "
            "or choose index=exact or index=rescore"
        )
    return {"codec": codec}


def _add(index: BaseIndex, store: EmbeddingStore, path: Path) -> None:
    """Add a store's rows, numbered after those of the stores before it."""
    stores, encoder = stores_of(index, path), index.metadata["encoder"]
    if store.manifest.encoder["revision"] != encoder["revision"]:
        raise ValueError(
            f"{store.folder} was encoded by {store.manifest.encoder['name']} at revision "
            f"{store.manifest.encoder['revision']}, the index's by {encoder['name']} at {encoder['revision']}: "
            "encode it with that"
        )
    twice = set(documents_in(index, stores)[1].tolist()) & set(store.ids)
    if twice:
        raise ValueError(
            f"{store.folder}: document {min(twice)!r} is in the index already ({len(twice):,} such): "
            "delete it first, or give its documents ids of their own (corpus.id_column=...)"
        )
    first = sum(len(one) for one in stores)
    index.add(store, ids=range(first, first + len(store)))
    index.metadata["stores"].append(source_of(store))
