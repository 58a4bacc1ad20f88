"""The codec of a store of codes: fitted once, saved beside them."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from copy import copy
from pathlib import Path

import numpy as np

from projhead.codecs.base import BaseCodec, load_codec, same_codec
from projhead.persistence.files import is_url, sha256_of
from projhead.store.encode import Part
from projhead.store.manifest import FOLDER, Manifest
from projhead.store.place import Place
from projhead.store.remote import fetched_codec


def new_or_fitted(new: BaseCodec | None, fitted: str | Path | None) -> BaseCodec | None:
    """Return a codec that is new, or that was fitted before, in a folder or at a URL; None where neither is given.

    Raises
    ------
    FileNotFoundError, OSError
        If there is no codec; if what a URL names cannot be read.
    ValueError
        If both are given, or it is damaged.
    """
    if fitted is None:
        return new
    codec = load_codec(fetched_codec(str(fitted)) if is_url(fitted) else fitted)
    if new is not None:
        raise ValueError(f"expected codec or fitted_codec, got {new.name} and {fitted}")
    return codec


def settle_codec(
    place: Place,
    manifest: Manifest,
    codec: BaseCodec | None,
    parts: Iterable[Part],
    encoded: Callable[[Iterable[Part]], Iterable[Part]],
    calibration_rows: int,
) -> tuple[BaseCodec | None, Iterator[Part]]:
    """Return the fitted codec of a store, and all of `parts`: it is fitted to rows of the first, if it is not yet.

    `encoded` gives parts their rows.

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
        settled = open_codec(place.folder, manifest) or codec
        if fitted and not same_codec(settled, codec):
            raise ValueError(
                f"{place} was begun with another fit of {codec.name}: give that ({place}/{FOLDER}), or choose "
                "another path"
            )
        return settled, stream
    first: list[Part] = []
    while not fitted and _rows(first) < calibration_rows and (part := next(stream, None)):
        first.append(part)
    settled = copy(codec)
    n = min(_rows(first), calibration_rows)
    if n:
        first = list(encoded(first))
        settled.fit(np.concatenate([part.rows for part in first if part.rows is not None])[:n])
    if fitted or n:
        settled.save(place.folder / FOLDER)
        manifest.codec["sha256"] = sha256_of(place.folder / FOLDER / "codec.json")
        manifest.codec["fitted_to"] = "other rows, before" if fitted else f"the first {n:,} rows"
    return settled, itertools.chain(first, stream)


def _rows(parts: Iterable[Part]) -> int:
    return sum(len(part.documents) for part in parts)


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
