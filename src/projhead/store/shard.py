"""A shard: one Arrow file of ids, texts and vectors or codes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from projhead.data import Document
from projhead.persistence.files import atomic_file, sha256_of
from projhead.store.manifest import Manifest, Shard


def write_shard(
    folder: Path,
    number: int,
    manifest: Manifest,
    documents: Sequence[Document],
    stored: NDArray[Any],
    clipped: int,
    mark: str,
    kinds: Mapping[str, pa.DataType] | None = None,
) -> Shard:
    """Write one shard as one Arrow record batch; its bytes depend on no other shard.

    `stored` are rows or codes (n, items) in the manifest's dtype, `mark` says of which documents, `kinds` the types of
    their other columns.
    """
    columns: dict[str, pa.Array] = {"id": pa.array([_id(document) for document in documents], pa.string())}
    if manifest.keep_texts:  # large: a shard of long texts may pass 2 GB
        columns["text"] = pa.array([_utf8(document.text) for document in documents], pa.large_string())
    for name, kind in (kinds or {}).items():
        columns[name] = _values(name, kind, documents)
    columns["embedding"] = pa.FixedSizeListArray.from_arrays(pa.array(stored.ravel()), stored.shape[1])
    batch = pa.record_batch(columns)
    path = folder / f"data-{number:05d}.arrow"
    with (
        atomic_file(path) as temporary,
        pa.OSFile(str(temporary), "wb") as sink,
        pa.ipc.new_stream(sink, batch.schema) as out,
    ):
        out.write_batch(batch)
    return Shard(path.name, len(documents), path.stat().st_size, sha256_of(path, done=True), mark, clipped)


def _values(name: str, kind: pa.DataType, documents: Sequence[Document]) -> pa.Array:
    try:
        return pa.array([document.columns.get(name) for document in documents], kind)
    except (pa.ArrowException, TypeError) as error:
        raise ValueError(f"column {name!r}: expected {kind} in every document; {error}") from error


def _id(document: Document) -> str:
    if not document.id or _utf8(document.id) != document.id:
        raise ValueError(f"expected ids in UTF-8, not empty, got {document.id!r:.80}; give each document one")
    return document.id


def _utf8(text: str) -> str:
    return text.encode("utf-8", "replace").decode("utf-8")


def read_shard(folder: Path, shard: Shard, manifest: Manifest, *, verify: bool) -> pa.Table:
    """Memory-map a shard, refusing what is not as the manifest says.

    Raises
    ------
    ValueError
        If the file is missing, of another size, damaged, or not what the manifest says.
    """
    file = folder / shard.file
    advice = f"delete the store {folder} and encode again"
    size = file.stat().st_size if file.is_file() else 0
    if size != shard.bytes:
        raise ValueError(f"{file}: expected {shard.bytes:,} bytes, got {size:,}; {advice}")
    if verify and sha256_of(file) != shard.sha256:
        raise ValueError(f"{file} is damaged: its sha256 is not the manifest's; {advice}")
    try:
        table = pa.ipc.open_stream(pa.memory_map(str(file))).read_all()
    except (pa.ArrowException, OSError) as error:
        raise ValueError(f"{file} is damaged: {error}; {advice}") from error
    kind = pa.list_(pa.from_numpy_dtype(np.dtype(manifest.dtype)), manifest.items)
    names = ["id", *(["text"] if manifest.keep_texts else []), *manifest.columns, "embedding"]
    if table.column_names != names or table.schema.field("embedding").type != kind or table.num_rows != shard.rows:
        raise ValueError(f"{file}: expected {shard.rows:,} rows with {names}, embedding as {kind}; {advice}")
    return table
