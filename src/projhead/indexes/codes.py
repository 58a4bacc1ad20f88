"""Encode an index's rows by a codec: a new one, or the store's."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from copy import copy
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from projhead.codecs.base import FIT_ROWS, BaseCodec, same_codec
from projhead.indexes.rows import sample, unit_blocks
from projhead.persistence.arrays import read_array
from projhead.protocols import CodedRows, Rows


def codec_for(rows: Rows, codec: BaseCodec, *, given: bool) -> Any:
    """Return the fitted codec for rows: that of a coded store, or `codec`, of which a copy is fitted if need be.

    Raises
    ------
    ValueError
        If the store is coded and `codec` was `given` by the user, or cannot be fitted to the rows.
    """
    if isinstance(rows, CodedRows) and rows.codec is not None:
        if given:
            raise ValueError(f"the store holds codes of {rows.codec.name} already, got codec {codec.name}: give none")
        return rows.codec
    return codec if codec.is_fitted else copy(codec).fit(sample(rows, FIT_ROWS))


def gathered(n: int, parts: Iterable[NDArray[Any]]) -> NDArray[Any]:
    """Return `n` codes in one array, written where they are to lie: no second copy is held."""
    left = iter(parts)
    first = next(left)
    codes, done = np.empty((n, *first.shape[1:]), first.dtype), 0
    for part in itertools.chain([first], left):
        codes[done : done + len(part)] = part
        done += len(part)
    return codes


def read_codes(file: Path, codec: BaseCodec, n: int, *, mapped: bool = False) -> NDArray[Any]:
    """Read the codes of `n` rows.

    Raises
    ------
    ValueError
        If the file holds something else.
    """
    codes, (dtype, items) = read_array(file, mapped=mapped), codec.layout(codec.dimension)
    if codes.shape != (n, items) or codes.dtype != dtype:
        raise ValueError(
            f"{file}: expected codes ({n}, {items}) of {dtype}, got {codes.shape} of {codes.dtype}; build it again"
        )
    return codes


def codes_of(rows: Rows, codec: BaseCodec) -> Iterator[NDArray[Any]]:
    """Return codes block by block: those of a coded store as they are, if they are this codec's.

    Raises
    ------
    ValueError
        If they are another's.
    """
    if isinstance(rows, CodedRows) and rows.codec is not None:
        if not same_codec(rows.codec, codec):
            raise ValueError(
                f"rows: expected codes of the index's own {codec.name}, got those of another ({rows.codec.name}); "
                "encode the store with the codec of the index's store"
            )
        return rows.codes()
    return (codec.encode(block) for block in unit_blocks(rows))
