"""``projhead encode``: a corpus into a store, with any encoder."""

from __future__ import annotations

from typing import TypeGuard

from hydra.utils import instantiate
from omegaconf import DictConfig

from projhead.codecs.base import BaseCodec, load_codec
from projhead.commands.run_folder import asked
from projhead.encoders.precomputed import Precomputed
from projhead.encoders.reduced import Reduced
from projhead.protocols import Corpus, Encoder
from projhead.store.embed import embed


def run(cfg: DictConfig) -> int:
    """Encode, or go on with an interrupted encode; return the number of rows."""
    encoder: Encoder = instantiate(cfg.encoder)
    corpus: Corpus = encoder if _own_rows(encoder) else instantiate(cfg.corpus)
    if cfg.artifact:
        encoder = Reduced(encoder, str(cfg.artifact))
    store = embed(
        encoder,
        corpus,
        out=cfg.out,
        split=cfg.split,
        codec=_codec(cfg),
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
    print(
        f"{len(store):,} rows of {store.dimension} {stored} in {store.folder} ({store.disk_bytes / 1e6:,.1f} MB)\n"
        f"search it: projhead index store={store.folder} out=<index>"
    )
    return len(store)


def _own_rows(encoder: Encoder) -> TypeGuard[Precomputed]:
    """Say whether vectors made elsewhere are stored row by row, as no other corpus was asked for."""
    return isinstance(encoder, Precomputed) and not asked("corpus")


def _codec(cfg: DictConfig) -> BaseCodec | None:
    """Return the codec asked for, new or fitted before."""
    if cfg.fitted_codec is None:
        return None if cfg.get("codec") is None else instantiate(cfg.codec)  # absent where the group is null
    codec = load_codec(cfg.fitted_codec)
    if cfg.get("codec") is not None:
        raise ValueError(f"expected codec or fitted_codec, got {instantiate(cfg.codec).name} and {cfg.fitted_codec}")
    return codec
