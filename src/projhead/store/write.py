"""Write texts to a store, shard by shard.

A shard is whole or absent, and noted when it is there, so that an interrupted encode goes on at the last whole shard; a
shard's bytes depend on its documents and the encoder alone.
"""

from __future__ import annotations

import itertools
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa

from projhead.codecs.base import BaseCodec
from projhead.console.progress import progress
from projhead.data import Document
from projhead.engines.serial import Serial
from projhead.persistence.files import is_url, write_json
from projhead.protocols import Encoder, Engine
from projhead.store.begun import begun, compare, empty
from projhead.store.bucket import Bucket, Unread
from projhead.store.codec import settle_codec
from projhead.store.encode import Part, encode_rows, encode_shard
from projhead.store.fingerprint import fingerprint as digest
from projhead.store.manifest import DTYPES, Manifest
from projhead.store.place import Place
from projhead.store.side import Side, side_of
from projhead.store.store import EmbeddingStore


def write_store(
    path: str | Path,
    encoder: Encoder,
    documents: Iterable[Document],
    *,
    name: str = "corpus",
    dtype: str = "float16",
    codec: BaseCodec | None = None,
    calibration_rows: int = 16_384,
    shard_rows: int = 8192,
    keep_texts: bool = True,
    side: Side = "document",
    columns: Mapping[str, pa.DataType] | None = None,
    fingerprint: str | None = None,
    total: int | None = None,
    engine: Engine | None = None,
    show_progress: bool = False,
) -> EmbeddingStore:
    """Encode documents into a store, go on with an unfinished one, or open a finished one.

    Memory holds one shard, or two for each worker of an engine, whatever the size of the corpus. Of several calls one
    writes, the others wait; at a URL all write, and what one has put the others leave.

    Parameters
    ----------
    path : path
        The store's folder, or a URL of object storage such as ``s3://bucket/docs``.
    encoder : Encoder
    documents : iterable of Document
        Streamed once, finished store or not: ids and texts are compared with those of whole shards.
    name : str
        What to call the corpus.
    dtype : str
        ``"float16"`` or ``"float32"``, where there is no codec.
    codec : BaseCodec, optional
        Store codes instead of floats. It is fitted once, to the first rows, unless it was fitted before, and saved
        with the store; values outside its range clip and are counted in the manifest.
    calibration_rows : int
        How many rows it is fitted to.
    shard_rows : int
        Rows of a shard.
    keep_texts : bool
        Keep texts beside the vectors, for search to answer with. Lone surrogates become ``?``.
    side : {"document", "query", "plain"}
        How the encoder takes the texts: as documents, as queries, or as neither.
    columns : mapping of str to pyarrow.DataType, optional
        What else is kept of every document, by its name among `Document.columns`.
    fingerprint : str, optional
        The digest of all texts in order, where it is known and ids are their numbers: no text is then hashed again.
    total : int, optional
        How many documents there are, for the progress bar.
    engine : Engine, optional
        What encodes the shards; this process where not given. All of its workers must reach the path.
    show_progress : bool

    Raises
    ------
    ValueError
        If the path holds something else, or a store of another encoder, dtype, codec, shard size or corpus, or
        is damaged; if there are no documents, or too few to fit the codec to.
    """
    if dtype not in DTYPES:
        raise ValueError(f"dtype: expected one of {', '.join(DTYPES)}, got {dtype!r}")
    if shard_rows < 1:
        raise ValueError(f"shard_rows: expected a positive number, got {shard_rows}")
    wanted = empty(encoder, name, dtype, codec, shard_rows, keep_texts, side_of(encoder, side), [*(columns or {})])
    if fingerprint is not None:
        wanted.corpus["fingerprint"] = fingerprint
    engine = engine or Serial()
    place = Bucket(str(path)) if is_url(path) else Place(Path(path))
    with place.held():
        manifest = begun(place, wanted)
        before = manifest.corpus["fingerprint"]
        if fingerprint is not None and before not in ("", fingerprint):
            raise ValueError(f"{place} was made from other texts than the corpus has: choose another path")
        known = fingerprint is not None and before == fingerprint
        if known and manifest.complete and codec is None:
            place.begin(manifest)
            return _opened(place, manifest).by(encoder)
        stream = iter(documents)
        compare(place, manifest, stream, known=known)
        rows_of = partial(encode_rows, encoder=encoder, side=manifest.side)
        parts = [] if manifest.complete else _parts(stream, shard_rows, len(manifest.shards))
        with progress(
            total, f"encode {name}", shown=show_progress and not manifest.complete, done=manifest.rows
        ) as bar:
            settled, parts = settle_codec(
                place, manifest, codec, parts, lambda some: engine.map(rows_of, some), calibration_rows
            )
            parts = _some(parts, name) if not manifest.shards else parts
            place.begin(manifest)  # not before: a call that is refused changes nothing
            if manifest.complete:
                return _opened(place, manifest).by(encoder)
            shard_of = partial(
                encode_shard, place=place, manifest=replace(manifest, shards=[]), encoder=encoder, codec=settled,
                columns=columns, marked=not before,
            )  # fmt: skip
            for shard in engine.map(shard_of, parts):
                place.add(shard, manifest)
                bar.update(manifest.rows - bar.n)  # what the encoder's batches did not move it by
        _finish(place, manifest, before or digest(shard.documents for shard in manifest.shards))
    _give_back_memory()
    return _opened(place, manifest, verify=False).by(encoder)


def _parts(documents: Iterator[Document], shard_rows: int, first: int) -> Iterator[Part]:
    """Yield the documents of each shard, numbered from `first` on."""
    for number in itertools.count(first):
        if not (part := list(islice(documents, shard_rows))):
            return
        yield Part(number, part)


def _some(parts: Iterator[Part], name: str) -> Iterator[Part]:
    """Return what was given, which must not be nothing."""
    if (first := next(parts, None)) is None:
        raise ValueError(f"{name}: expected at least one document, got none")
    return itertools.chain([first], parts)


def _opened(place: Place, manifest: Manifest, *, verify: bool | None = None) -> EmbeddingStore:
    """Return the finished store; one in object storage is not copied here until its rows are asked for."""
    if isinstance(place, Bucket):
        return Unread(place.url, manifest)
    return EmbeddingStore.open(place.folder, verify=verify)


def _finish(place: Place, manifest: Manifest, digest: str) -> None:
    """Write what `datasets.load_from_disk` looks for, then say that the store is complete."""
    write_json(place.folder / "dataset_info.json", {"dataset_name": manifest.corpus["name"]})
    state: dict[str, Any] = {
        "_data_files": [{"filename": shard.file} for shard in manifest.shards],
        "_fingerprint": digest[:16],
        "_format_columns": None,
        "_format_kwargs": {},
        "_format_type": None,
        "_output_all_columns": False,
        "_split": None,
    }
    write_json(place.folder / "state.json", state)
    manifest.corpus["fingerprint"] = digest
    manifest.complete = True
    place.end(manifest)


def _give_back_memory() -> None:
    """Free a GPU's cache, where one is used: what comes next has other shapes."""
    if (torch := sys.modules.get("torch")) is not None:
        torch.cuda.empty_cache()
