"""``projhead index``: a search index over a store, rows added to one, and rows deleted from one."""

from __future__ import annotations

import inspect
import time
from pathlib import Path
from typing import Any

from hydra.utils import get_class, instantiate
from omegaconf import DictConfig

from projhead.collection import Collection
from projhead.commands.search import ids_of
from projhead.evaluation.measurements import paths_of
from projhead.store.store import EmbeddingStore


def run(cfg: DictConfig) -> int:
    """Build an index, or change the one at `out`; return the number of rows in it."""
    path, started = Path(cfg.out), time.perf_counter()
    changes = cfg.add is not None or cfg.delete is not None
    if not changes and cfg.store is None:
        raise ValueError(f"expected store=... to build {path}, or add=... or delete=... to change it, got none of them")
    collection = Collection.open(path, stores=_moved(cfg)) if changes else _built(cfg)
    if cfg.delete is not None:
        print(f"deleted {collection.delete(ids_of(cfg.delete)):,} rows")
    if cfg.add is not None:
        collection.add(EmbeddingStore.open(cfg.add))
    seconds, index = time.perf_counter() - started, collection.index
    collection.save(path)
    size = sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
    print(
        f"{len(index):,} rows of {index.dimension} in {path}: {size / 1e6:,.1f} MB on disk, {index.nbytes / 1e6:,.1f} "
        f"in memory ({seconds:.1f} s)\nask it: projhead search index={path} \"query='...'\""
    )
    return len(index)


def _moved(cfg: DictConfig) -> list[Path] | None:
    """Return where the stores of an index are that is changed, where that is said."""
    return None if cfg.store is None else paths_of(cfg.store)


def _built(cfg: DictConfig) -> Collection:
    if len(stores := paths_of(cfg.store)) != 1:
        raise ValueError(f"store: expected one store to build an index over, got {len(stores)}; add the others to it")
    return Collection.build(EmbeddingStore.open(stores[0]), instantiate(cfg.index, **_codec(cfg)))


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
