"""Write texts to a store, shard by shard.

A shard is whole or absent. The manifest is written anew after each one, so that an interrupted encode goes on
at the last whole shard; a shard's bytes depend on its documents and the encoder alone.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from projhead.codecs.base import BaseCodec
from projhead.console.progress import progress
from projhead.data import Document
from projhead.persistence.files import locked, write_json
from projhead.protocols import Encoder
from projhead.store.begun import begun, compare, empty
from projhead.store.codec import Encoded, fit_or_open_codec
from projhead.store.fingerprint import Marks
from projhead.store.manifest import DTYPES, Manifest
from projhead.store.shard import write_shard
from projhead.store.side import Side, side_of, way_of
from projhead.store.store import EmbeddingStore
from projhead.vectors import Vectors

#: Documents encoded between two steps of the progress bar.
_WINDOW = 4096


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
    show_progress: bool = False,
) -> EmbeddingStore:
    """Encode documents into a store, go on with an unfinished one, or open a finished one.

    Memory holds one shard, whatever the size of the corpus. Of several processes one writes, the others wait.

    Parameters
    ----------
    path : path
        The store's folder.
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
    show_progress : bool

    Raises
    ------
    ValueError
        If the folder holds something else, or a store of another encoder, dtype, codec, shard size or corpus, or
        is damaged; if there are no documents, or too few to fit the codec to.
    """
    folder = Path(path)
    if dtype not in DTYPES:
        raise ValueError(f"dtype: expected one of {', '.join(DTYPES)}, got {dtype!r}")
    if shard_rows < 1:
        raise ValueError(f"shard_rows: expected a positive number, got {shard_rows}")
    wanted = empty(encoder, name, dtype, codec, shard_rows, keep_texts, side_of(encoder, side), [*(columns or {})])
    if fingerprint is not None:
        wanted.corpus["fingerprint"] = fingerprint
    with locked(folder):
        manifest = begun(folder, wanted)
        before = manifest.corpus["fingerprint"]
        if fingerprint is not None and before not in ("", fingerprint):
            raise ValueError(f"{folder} was made from other texts than the corpus has: choose another path")
        known = fingerprint is not None and before == fingerprint
        if known and manifest.complete and codec is None:
            return EmbeddingStore.open(folder).by(encoder)
        stream, marks = iter(documents), None if known else Marks()
        for shard in manifest.shards:
            compare(folder, manifest, shard, list(islice(stream, shard.rows)), marks)
        if manifest.complete:
            if marks is not None and marks.fingerprint != before:
                raise ValueError(f"{folder} was made from other texts than the corpus has: choose another path")
            if next(stream, None) is not None:
                raise ValueError(
                    f"{folder} holds {manifest.rows:,} documents, the corpus has more: choose another path"
                )
            fit_or_open_codec(folder, manifest, codec, iter(()), calibration_rows)
            return EmbeddingStore.open(folder).by(encoder)
        with progress(total, f"encode {name}", shown=show_progress, done=manifest.rows) as bar:
            encoded = _encoded(encoder, wanted.side, stream, shard_rows, bar)
            settled, encoded = fit_or_open_codec(folder, manifest, codec, encoded, calibration_rows)
            for part, rows in encoded:
                mark = "" if marks is None else marks.add(part)
                stored, clipped = _stored(manifest, rows, settled)
                manifest.shards.append(
                    write_shard(
                        folder, len(manifest.shards), manifest, part, stored, clipped, "" if before else mark, columns
                    )
                )
                manifest.write(folder)
        if not manifest.shards:
            raise ValueError(f"{name}: expected at least one document, got none")
        if before and marks is not None and marks.fingerprint != before:
            raise ValueError(f"{folder} was begun with other texts than the corpus has: choose another path")
        _finish(folder, manifest, before if marks is None else marks.fingerprint)
    _give_back_memory()
    return EmbeddingStore.open(folder, verify=False).by(encoder)


def _encoded(
    encoder: Encoder, side: str, documents: Iterator[Document], shard_rows: int, bar: Any
) -> Iterator[Encoded]:
    """Yield the documents of each shard, and their rows."""
    encode = way_of(encoder, side)
    while part := list(islice(documents, shard_rows)):
        rows = np.empty((len(part), encoder.dimension), np.float32)
        for start in range(0, len(part), _WINDOW):
            before = bar.n
            window = encode([document.text for document in part[start : start + _WINDOW]])
            rows[start : start + _WINDOW] = window
            bar.update(before + len(window) - bar.n)  # what the encoder's batches did not move it by
        yield part, rows


def _stored(manifest: Manifest, rows: Vectors, codec: BaseCodec | None) -> tuple[NDArray[Any], int]:
    """Return the rows of a shard as floats or codes, and how many values lay outside the codec's range."""
    if codec is None:
        return rows.astype(manifest.dtype, copy=False), 0
    before = codec.clipped
    codes = codec.encode(rows)
    return codes, codec.clipped - before


def _finish(folder: Path, manifest: Manifest, digest: str) -> None:
    """Write what `datasets.load_from_disk` looks for, then say that the store is complete."""
    write_json(folder / "dataset_info.json", {"dataset_name": manifest.corpus["name"]})
    state: dict[str, Any] = {
        "_data_files": [{"filename": shard.file} for shard in manifest.shards],
        "_fingerprint": digest[:16],
        "_format_columns": None,
        "_format_kwargs": {},
        "_format_type": None,
        "_output_all_columns": False,
        "_split": None,
    }
    write_json(folder / "state.json", state)
    manifest.corpus["fingerprint"] = digest
    manifest.complete = True
    manifest.write(folder)


def _give_back_memory() -> None:
    """Free a GPU's cache, where one is used: what comes next has other shapes."""
    if (torch := sys.modules.get("torch")) is not None:
        torch.cuda.empty_cache()
