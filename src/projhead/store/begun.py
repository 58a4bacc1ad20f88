"""Look at what a store's place holds before encoding: nothing, or a part to go on with."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

from projhead.codecs.base import BaseCodec
from projhead.data import Document
from projhead.persistence.identity import expect_same
from projhead.persistence.leftovers import clear, leftover
from projhead.persistence.registry import is_whole, renewed, spec_of
from projhead.protocols import Encoder
from projhead.store.fingerprint import CHAINED, Chain, digest_of
from projhead.store.manifest import FOLDER, SHARD_FILE, Manifest, Shard
from projhead.store.place import Place

#: What a process killed while writing may leave behind.
_LEFTOVER = leftover(rf"{SHARD_FILE}|manifest\.json|dataset_info\.json|state\.json|{FOLDER}")


def empty(
    encoder: Encoder,
    name: str,
    dtype: str,
    codec: BaseCodec | None,
    shard_rows: int,
    keep_texts: bool,
    side: str,
    columns: list[str],
) -> Manifest:
    """Return the manifest of a store that is still empty."""
    record: dict[str, Any] | None = None
    if codec is not None:
        kind, items = codec.layout(encoder.dimension)
        dtype, record = str(kind), {"name": codec.name, "items": items, "spec": spec_of(codec)}
    return Manifest(
        encoder.identity,
        {"name": name, "fingerprint": ""},
        dtype,
        shard_rows,
        keep_texts,
        codec=record,
        side=side,
        columns=columns,
        spec=_record(encoder),
    )


def begun(place: Place, wanted: Manifest) -> Manifest:
    """Return the manifest to go on with: that of the store in the place, if it is what is wanted.

    Raises
    ------
    ValueError
        If the place holds something else, or a store with other settings.
    """
    names = place.names()
    if "manifest.json" not in names:
        strangers = [name for name in names if not re.fullmatch(f"{SHARD_FILE}|{FOLDER}|{_LEFTOVER}", name)]
        if strangers:
            raise ValueError(f"{place} is not a store, and not empty ({strangers[0]}): choose another path")
    clear(place.folder)
    if "manifest.json" not in names:
        return wanted
    found = Manifest.read(place.folder)
    expect_same(found.encoder, wanted.encoder, str(place), "encode with that, or choose another path")
    pairs = {
        "rows of": (found.encoder.key, wanted.encoder.key),
        "side": (found.side, wanted.side),
        "columns": (found.columns, wanted.columns),
        "codec": (_settings(found), _settings(wanted)),
        "dtype": (found.dtype, wanted.dtype),
        "shard_rows": (found.shard_rows, wanted.shard_rows),
        "keep_texts": (found.keep_texts, wanted.keep_texts),
    }
    for what, (old, new) in pairs.items():
        if old != new:
            raise ValueError(
                f"{place} was begun with {what} {old!r}, got {new!r}: give the same, or choose another path"
            )
    return found


def _settings(manifest: Manifest) -> Any:
    return manifest.codec and renewed(manifest.codec["spec"])


def _record(encoder: Encoder) -> dict[str, Any] | None:
    """Return what `build` needs to make the encoder again; None for one that holds more than a record can."""
    record = spec_of(encoder)
    return record if is_whole(record, "encoder") else None


def compare(place: Place, manifest: Manifest, documents: Iterator[Document], *, known: bool) -> None:
    """Check that finished shards are undamaged and hold these documents, which are taken from the stream.

    Parameters
    ----------
    place : Place
    manifest : Manifest
    documents : iterator of Document
        Of a store that is complete, all of them.
    known : bool
        Whether texts are known to be the same, and ids alone are compared.

    Raises
    ------
    ValueError
        If not.
    """
    chain = None if known or all(_alone(shard) for shard in manifest.shards) else Chain()
    for shard in manifest.shards:
        _compare(place, manifest, shard, list(islice(documents, shard.rows)), chain, known)
    declared = chain is not None and not all(shard.documents for shard in manifest.shards)
    if declared and not manifest.complete:
        raise ValueError(f"{place} was begun by a training or an evaluation: go on with that, or choose another path")
    if declared and chain is not None and chain.fingerprint != manifest.corpus["fingerprint"]:
        raise ValueError(f"{place} was made from other texts than the corpus has: choose another path")
    if manifest.complete and next(documents, None) is not None:
        raise ValueError(f"{place} holds {manifest.rows:,} documents, the corpus has more: choose another path")


def _compare(
    place: Place, manifest: Manifest, shard: Shard, documents: Sequence[Document], chain: Chain | None, known: bool
) -> None:
    if len(documents) < shard.rows:
        raise ValueError(f"{place} holds {manifest.rows:,} documents, the corpus has fewer: choose another path")
    place.check(shard, manifest)
    mark = "" if chain is None else chain.add(documents)
    if shard.documents and not known:
        same = shard.documents == (digest_of(documents) if _alone(shard) else mark)
    else:  # the corpus was known as a whole, the shard says nothing of its documents, and its ids are there to compare
        same = place.ids(shard, manifest) == [document.id for document in documents]
    if not same:
        raise ValueError(
            f"{place}/{shard.file} was made from other ids or texts than the corpus has: choose another path"
        )


def _alone(shard: Shard) -> bool:
    """Say whether a shard's mark is of its own documents."""
    return bool(shard.documents) and not shard.documents.startswith(CHAINED)
