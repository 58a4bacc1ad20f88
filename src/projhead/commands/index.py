"""``projhead index``: a search index over a store, rows added to one, and rows deleted from one."""

from __future__ import annotations

import time
from pathlib import Path

from hydra.utils import instantiate
from omegaconf import DictConfig

from projhead.collection import Collection
from projhead.collection.questions import ids_of
from projhead.evaluation.measurements import names_of
from projhead.persistence.files import expect_local
from projhead.store.store import EmbeddingStore


def run(cfg: DictConfig) -> int:
    """Build an index, or change the one at `out`; return the number of rows in it."""
    expect_local(cfg.out)
    path, started = Path(cfg.out), time.perf_counter()
    changes = cfg.add is not None or cfg.delete is not None
    stores = None if cfg.store is None else names_of(cfg.store)
    if changes and not path.is_dir():
        raise ValueError(f"out: expected the index to change, got {path}, which is not there; give out=INDEX")
    if changes:
        collection = Collection.open(path, stores=stores)
    elif stores is None:
        raise ValueError(f"expected store=... to build {path}, or add=... or delete=... to change it, got none of them")
    elif len(stores) != 1:
        raise ValueError(f"store: expected one store to build an index over, got {len(stores)}; add the others to it")
    else:
        codec, engine = (instantiate(cfg.get(name)) for name in ("codec", "engine"))  # absent where a group is null
        store = EmbeddingStore.open(stores[0])
        collection = Collection.build(store, instantiate(cfg.index), codec=codec, engine=engine)
    if cfg.delete is not None:
        print(f"deleted {collection.delete(ids_of(cfg.delete)):,} rows")
    if cfg.add is not None:
        collection.add(EmbeddingStore.open(cfg.add))
    collection.save(path)
    seconds, index = time.perf_counter() - started, collection.index
    print(
        f"{len(index):,} rows of {index.dimension} in {path}: {collection.disk_bytes / 1e6:,.1f} MB on disk, "
        f"{index.nbytes / 1e6:,.1f} in memory ({seconds:.1f} s)\nask it: projhead search index={path} \"query='...'\""
    )
    return len(index)
