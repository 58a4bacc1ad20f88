"""``projhead encode``: a corpus into a store, with any encoder."""

from __future__ import annotations

from hydra.utils import instantiate
from omegaconf import DictConfig

from projhead.commands.asked import own_corpus
from projhead.encoders.reduced import Reduced
from projhead.protocols import Encoder
from projhead.store.codec import new_or_fitted
from projhead.store.embed import embed


def run(cfg: DictConfig) -> int:
    """Encode, or go on with an interrupted encode; return the number of rows."""
    encoder: Encoder = instantiate(cfg.encoder)
    store = embed(
        Reduced(encoder, str(cfg.artifact)) if cfg.artifact else encoder,
        own_corpus(encoder) or instantiate(cfg.corpus),
        out=cfg.out,
        split=cfg.split,
        codec=new_or_fitted(instantiate(cfg.get("codec")), cfg.fitted_codec),  # absent where the group is null
        dtype=cfg.store_dtype,
        calibration_rows=cfg.calibration_rows,
        shard_rows=cfg.shard_rows,
        keep_texts=cfg.keep_texts,
        side=cfg.side,
        count=cfg.count,
        engine=instantiate(cfg.engine),
    )
    codec, stored = store.manifest.codec, str(cfg.store_dtype)
    if codec:
        stored, clipped = codec["name"], store.manifest.clipped
        print(f"{stored} fitted to {codec['fitted_to']}; {clipped:,} values lay outside its range")
    place = store.url or store.folder
    print(
        f"{len(store):,} rows of {store.dimension} {stored} in {place} ({store.disk_bytes / 1e6:,.1f} MB)\n"
        f"search it: projhead index store={place} out=<index>"
    )
    return len(store)
