"""``projhead index``: a search index over a store."""

from __future__ import annotations

import time
from pathlib import Path

from hydra.utils import instantiate
from omegaconf import DictConfig

from projhead import spec
from projhead.files import atomic_folder, sha256_of, write_json
from projhead.store import EmbeddingStore

FORMAT, VERSION = "projhead-index", 1


def run(cfg: DictConfig) -> int:
    """Build and write the index; return the number of rows in it."""
    store = EmbeddingStore.open(cfg.store)
    index = instantiate(cfg.index)
    started = time.perf_counter()
    index.build(store.rows)
    seconds = time.perf_counter() - started
    with atomic_folder(Path(cfg.path)) as folder:
        index.save(folder / "index.bin")
        record = {
            "format": FORMAT,
            "version": VERSION,
            "index": spec.spec_of(index),
            "sha256": sha256_of(folder / "index.bin"),
            "store": str(store.folder.resolve()),
            "corpus": store.manifest.corpus,
            "encoder": store.manifest.encoder,
        }
        write_json(folder / "index.json", record)
        size = (folder / "index.bin").stat().st_size
    print(
        f"{len(store):,} rows of {store.dimension} in {cfg.path} ({size / 1e6:,.1f} MB, built in {seconds:.1f} s)\n"
        f"ask it: projhead search path={cfg.path} \"query='...'\""
    )
    return len(store)
