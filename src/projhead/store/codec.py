"""The codec of a store of codes: fitted once, saved beside them."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from copy import copy
from pathlib import Path

import numpy as np

from projhead.codecs.base import BaseCodec, load_codec, same_codec
from projhead.data import Document
from projhead.persistence.files import sha256_of
from projhead.store.manifest import Manifest
from projhead.vectors import Vectors

#: Where it lies in the store.
FOLDER = "codec"

#: A shard's documents and their rows.
Encoded = tuple[Sequence[Document], Vectors]


def fit_or_open_codec(
    folder: Path, manifest: Manifest, codec: BaseCodec | None, parts: Iterable[Encoded], calibration_rows: int
) -> tuple[BaseCodec | None, Iterator[Encoded]]:
    """Return the fitted codec of a store, and all of `parts`: the first are used to fit it, if it is not yet.

    Raises
    ------
    ValueError
        If the store was begun with another fit of the codec, or there are too few rows to fit it to.
    """
    stream = iter(parts)
    if codec is None or manifest.codec is None:
        return None, stream
    fitted, width = codec.is_fitted, manifest.encoder.dimension
    if fitted and codec.dimension != width:
        raise ValueError(f"{codec.name} was fitted to rows of width {codec.dimension}, the encoder's have {width}")
    if manifest.shards:
        settled = open_codec(folder, manifest) or codec
        if fitted and not same_codec(settled, codec):
            raise ValueError(
                f"{folder} was begun with another fit of {codec.name}: give that ({folder / FOLDER}), or choose "
                "another path"
            )
        return settled, stream
    first: list[Encoded] = []
    while not fitted and sum(len(rows) for _, rows in first) < calibration_rows and (part := next(stream, None)):
        first.append(part)
    settled = copy(codec)
    n = min(sum(len(rows) for _, rows in first), calibration_rows)
    if not fitted and n:
        settled.fit(np.concatenate([rows for _, rows in first])[:n])
    if fitted or n:
        settled.save(folder / FOLDER)
        manifest.codec["sha256"] = sha256_of(folder / FOLDER / "codec.json")
        manifest.codec["fitted_to"] = "other rows, before" if fitted else f"the first {n:,} rows"
    return settled, itertools.chain(first, stream)


def open_codec(folder: Path, manifest: Manifest) -> BaseCodec | None:
    """Return the codec of a finished store, None where rows are floats.

    Raises
    ------
    ValueError
        If it is missing, damaged, or not the one that wrote the codes.
    """
    if manifest.codec is None:
        return None
    try:
        codec = load_codec(folder / FOLDER)
    except FileNotFoundError:
        raise ValueError(
            f"{folder / FOLDER} is missing, which the codes need: delete the store and encode again"
        ) from None
    if sha256_of(folder / FOLDER / "codec.json") != manifest.codec["sha256"]:
        raise ValueError(f"{folder / FOLDER} is not the codec that wrote the store: delete the store and encode again")
    return codec
