"""``projhead encode``: a corpus into a store, with any encoder."""

from __future__ import annotations

from pathlib import Path

from hydra.utils import instantiate
from omegaconf import DictConfig

from projhead.encoders.reduced import Reduced
from projhead.protocols import Corpus, Encoder
from projhead.store import write_store


def run(cfg: DictConfig) -> int:
    """Encode, or go on with an interrupted encode; return the number of rows."""
    encoder: Encoder = instantiate(cfg.encoder)
    if cfg.artifact:
        encoder = Reduced(encoder, str(cfg.artifact))
    corpus: Corpus = instantiate(cfg.corpus)
    again = cfg.count and getattr(corpus, "path", "") != "-"
    total = sum(1 for _ in corpus.documents(cfg.split)) if again else None
    store = write_store(
        Path(cfg.path),
        encoder,
        corpus.documents(cfg.split),
        name=corpus.name,
        dtype=cfg.dtype,
        shard_rows=cfg.shard_rows,
        keep_texts=cfg.keep_texts,
        total=total,
        show_progress=True,
    )
    size = sum((store.folder / shard.file).stat().st_size for shard in store.manifest.shards)
    print(
        f"{len(store):,} rows of {store.dimension} {cfg.dtype} in {store.folder} ({size / 1e6:,.1f} MB)\n"
        f"search it: projhead index store={store.folder} path=<index>"
    )
    return len(store)
