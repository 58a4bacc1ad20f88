"""Encode one shard: its bytes depend on its documents and the encoder alone, wherever it is made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from projhead.codecs.base import BaseCodec
from projhead.data import Document
from projhead.persistence.identity import expect_same
from projhead.protocols import Encoder
from projhead.store.fingerprint import digest_of
from projhead.store.manifest import Manifest, Shard
from projhead.store.place import Place
from projhead.store.shard import write_shard
from projhead.store.side import way_of
from projhead.vectors import Vectors

#: Documents encoded at once.
_WINDOW = 4096


@dataclass(frozen=True, eq=False)
class Part:
    """The documents of a shard, by its number.

    Attributes
    ----------
    number : int
    documents : sequence of Document
    rows : ndarray of shape (n, d), float32, optional
        What the encoder makes of them, where it has.
    """

    number: int
    documents: Sequence[Document]
    rows: Vectors | None = None


def encode_rows(part: Part, encoder: Encoder, side: str) -> Part:
    """Return a part with its rows, unit rows of a side as `side_of` gives it."""
    encode, texts = way_of(encoder, side), [document.text for document in part.documents]
    rows = np.empty((len(texts), encoder.dimension), np.float32)
    for start in range(0, len(texts), _WINDOW):
        rows[start : start + _WINDOW] = encode(texts[start : start + _WINDOW])
    return replace(part, rows=rows)


def encode_shard(
    part: Part,
    *,
    place: Place,
    manifest: Manifest,
    encoder: Encoder,
    codec: BaseCodec | None = None,
    columns: Mapping[str, pa.DataType] | None = None,
    marked: bool = True,
) -> Shard:
    """Encode a part of a corpus into its file; return the manifest's entry for it.

    It asks nothing of other shards and changes nothing but its own file, which is whole or absent: any process of any
    machine that sees the place may do so, more than once.

    Parameters
    ----------
    part : Part
    place : Place
        Of the store.
    manifest : Manifest
        Of the store, with or without its other shards.
    encoder : Encoder
        The one that the manifest names.
    codec : BaseCodec, optional
        Fitted.
    columns : mapping of str to pyarrow.DataType, optional
        The documents' other columns.
    marked : bool
        Digest ids and texts; false where that of the whole corpus is known.

    Raises
    ------
    ValueError
        If the encoder is another than the manifest's, or an id or a column cannot be stored.
    """
    wanted, got = manifest.encoder, encoder.identity
    expect_same(wanted, got, str(place), "every worker needs the same files and versions")
    if wanted.key != got.key:
        raise ValueError(f"{place}: expected rows of {wanted.key}, got those of {got.key}; set compute_dtype alike")
    rows = encode_rows(part, encoder, manifest.side).rows if part.rows is None else part.rows
    assert rows is not None
    stored, clipped = _stored(manifest, rows, codec)
    mark = digest_of(part.documents) if marked else ""
    with place.desk() as desk:
        shard = write_shard(desk, part.number, manifest, part.documents, stored, clipped, mark, columns)
        return place.put(shard, desk)


def _stored(manifest: Manifest, rows: Vectors, codec: BaseCodec | None) -> tuple[NDArray[Any], int]:
    """Return the rows of a shard as floats or codes, and how many values lay outside the codec's range."""
    if codec is None:
        return rows.astype(manifest.dtype, copy=False), 0
    before = codec.clipped
    codes = codec.encode(rows)
    return codes, codec.clipped - before
