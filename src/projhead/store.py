"""Vectors on disk: a folder of Arrow shards that `datasets` memory-maps, and a manifest.

A shard is whole or absent. The manifest is written anew after each one, so that an interrupted encode goes on
at the last whole shard; a shard's bytes depend on its documents and the encoder alone.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any, Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from tqdm import tqdm

from projhead import spec
from projhead.files import atomic_file, locked, sha256_of, write_json
from projhead.manifest import DTYPES, SHARD_FILE, Manifest, Shard
from projhead.protocols import Document, Encoder

#: What a process killed while writing may leave behind.
_LEFTOVER = rf"\.({SHARD_FILE}|manifest\.json|dataset_info\.json|state\.json)\.\d+\.tmp"
#: Documents encoded between two steps of the progress bar.
_WINDOW = 1024
#: Stores up to this size are verified whenever they are opened: about a second.
_VERIFIED_BYTES = 1_000_000_000


class EmbeddingStore:
    """A finished store, opened for reading.

    Attributes
    ----------
    folder : Path
    manifest : Manifest
    table : pyarrow.Table
        Columns ``id``, ``text`` (where kept) and ``embedding``, memory-mapped.
    """

    def __init__(self, folder: Path, manifest: Manifest, table: pa.Table) -> None:
        self.folder, self.manifest, self.table = folder, manifest, table

    @classmethod
    def open(cls, path: str | Path, *, verify: bool | None = None) -> Self:
        """Open a store.

        Parameters
        ----------
        path : path
        verify : bool, optional
            Compare every shard's sha256 with the manifest's; where not given, of stores up to 1 GB. Sizes are
            always compared.

        Raises
        ------
        FileNotFoundError
            If there is none.
        ValueError
            If it is unfinished, damaged, or of another version.
        """
        folder = Path(path)
        manifest = Manifest.read(folder)
        if not manifest.complete:
            raise ValueError(
                f"{folder} is unfinished ({manifest.rows:,} rows so far): run the same encode again to go on"
            )
        if verify is None:
            verify = sum(shard.bytes for shard in manifest.shards) <= _VERIFIED_BYTES
        tables = [_read_shard(folder, shard, manifest, verify=verify) for shard in manifest.shards]
        return cls(folder, manifest, pa.concat_tables(tables))

    def __len__(self) -> int:
        return int(self.table.num_rows)

    @property
    def dimension(self) -> int:
        """Width of the rows."""
        return int(self.manifest.encoder["dimension"])

    def blocks(self) -> Iterator[NDArray[Any]]:
        """Yield the rows of each shard, (rows, dimension), zero-copy from the memory map."""
        for chunk in self.table["embedding"].chunks:
            yield chunk.flatten().to_numpy(zero_copy_only=True).reshape(-1, self.dimension)

    @cached_property
    def rows(self) -> NDArray[Any]:
        """All rows (n, dimension) in the store's dtype: zero-copy from one shard, a copy of several."""
        blocks = list(self.blocks())
        return blocks[0] if len(blocks) == 1 else np.concatenate(blocks)

    def take(self, numbers: Sequence[int] | NDArray[np.int64]) -> NDArray[Any]:
        """Return some rows (n, dimension) by their numbers, in the store's dtype."""
        taken = self.table["embedding"].take(pa.array(numbers, pa.int64())).combine_chunks()
        rows: NDArray[Any] = taken.flatten().to_numpy(zero_copy_only=True).reshape(-1, self.dimension)
        return rows

    @property
    def ids(self) -> list[str]:
        """The id of every row."""
        return list(self.table["id"].to_pylist())

    @property
    def texts(self) -> list[str]:
        """The text of every row.

        Raises
        ------
        ValueError
            If texts were not kept.
        """
        if not self.manifest.keep_texts:
            raise ValueError(f"{self.folder} holds no texts: encode again with keep_texts=true")
        return list(self.table["text"].to_pylist())

    def documents(self, numbers: Sequence[int]) -> list[Document]:
        """Return id and text of some rows; the text is empty where texts were not kept."""
        names = ["id", "text"] if self.manifest.keep_texts else ["id"]
        taken = self.table.select(names).take(pa.array(numbers, pa.int64()))
        return [Document(row["id"], row.get("text", "")) for row in taken.to_pylist()]


def fingerprint(texts: Iterable[str]) -> str:
    """Return the digest of texts in order, 64 hex digits."""
    digest = hashlib.sha256()
    for text in texts:
        _add(digest, text)
    return digest.hexdigest()


def store_path(root: Path, encoder: Encoder, corpus: str, dtype: str) -> Path:
    """Return where the vectors of a corpus, by its fingerprint, lie below `root`."""
    name = re.sub(r"[^\w.-]+", "_", Path(encoder.name).name)[:40]
    return root / f"{name}-{encoder.revision}-{corpus[:16]}-{dtype}"


def write_store(
    path: str | Path,
    encoder: Encoder,
    documents: Iterable[Document],
    *,
    name: str = "corpus",
    dtype: str = "float16",
    shard_rows: int = 8192,
    keep_texts: bool = True,
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
        ``"float16"`` or ``"float32"``.
    shard_rows : int
        Rows of a shard.
    keep_texts : bool
        Keep texts beside the vectors, for search to answer with. Lone surrogates become ``?``.
    total : int, optional
        How many documents there are, for the progress bar.
    show_progress : bool

    Raises
    ------
    ValueError
        If the folder holds something else, or a store of another encoder, dtype, shard size or corpus, or is
        damaged; if there are no documents.
    """
    folder = Path(path)
    if dtype not in DTYPES:
        raise ValueError(f"dtype: expected one of {', '.join(DTYPES)}, got {dtype!r}")
    if shard_rows < 1:
        raise ValueError(f"shard_rows: expected a positive number, got {shard_rows}")
    identity = {"name": encoder.name, "revision": encoder.revision, "dimension": encoder.dimension}
    wanted = Manifest(
        {**identity, "spec": _record(encoder)},
        {"name": name, "fingerprint": ""},
        dtype,
        shard_rows,
        keep_texts,
    )
    with locked(folder):
        manifest = _begun(folder, wanted)
        stream, digest = iter(documents), hashlib.sha256()
        for shard in manifest.shards:
            part = list(islice(stream, shard.rows))
            _compare(folder, manifest, shard, part)
            for document in part:
                _add(digest, document.text)
        if manifest.complete:
            if next(stream, None) is not None:
                raise ValueError(
                    f"{folder} holds {manifest.rows:,} documents, the corpus has more: choose another path"
                )
            return EmbeddingStore.open(folder)
        with tqdm(
            total=total, initial=manifest.rows, desc=f"encode {name}", unit="text", disable=not show_progress
        ) as bar:
            while part := list(islice(stream, shard_rows)):
                manifest.shards.append(_write_shard(folder, manifest, encoder, part, bar))
                manifest.write(folder)
                for document in part:
                    _add(digest, document.text)
        if not manifest.shards:
            raise ValueError(f"{name}: expected at least one document, got none")
        _finish(folder, manifest, digest.hexdigest())
    return EmbeddingStore.open(folder, verify=False)


def _add(digest: Any, text: str) -> None:
    """Add a text with its length, so that no two lists of texts read alike."""
    encoded = text.encode("utf-8", "surrogatepass")
    digest.update(len(encoded).to_bytes(8, "big") + encoded)


def _digest(documents: Sequence[Document]) -> str:
    return fingerprint(part for document in documents for part in document)


def _begun(folder: Path, wanted: Manifest) -> Manifest:
    """Return the manifest to go on with: that of the store in the folder, if it is what is wanted."""
    names = [one.name for one in folder.iterdir()]
    if "manifest.json" not in names:
        strangers = [name for name in names if not re.fullmatch(f"{SHARD_FILE}|{_LEFTOVER}", name)]
        if strangers:
            raise ValueError(f"{folder} is not a store, and not empty ({strangers[0]}): choose another path")
    for name in names:
        if re.fullmatch(_LEFTOVER, name):
            (folder / name).unlink()
    if "manifest.json" not in names:
        return wanted
    found = Manifest.read(folder)
    pairs = {
        "encoder": (found.encoder["revision"], wanted.encoder["revision"]),
        "dtype": (found.dtype, wanted.dtype),
        "shard_rows": (found.shard_rows, wanted.shard_rows),
        "keep_texts": (found.keep_texts, wanted.keep_texts),
    }
    for what, (old, new) in pairs.items():
        if old != new:
            raise ValueError(
                f"{folder} was begun with {what} {old!r}, got {new!r}: give the same, or choose another path"
            )
    return found


def _record(encoder: Encoder) -> dict[str, Any] | None:
    """Return what `spec.build` needs to make the encoder again; None for one of the user's own, or holding objects."""
    if not type(encoder).__module__.startswith("projhead."):
        return None
    record = spec.spec_of(encoder)
    return record if set(record["parameters"]) == set(spec.parameters_of(encoder)) else None


def _compare(folder: Path, manifest: Manifest, shard: Shard, documents: Sequence[Document]) -> None:
    """Check that a whole shard is still whole, and of these documents."""
    if len(documents) < shard.rows:
        raise ValueError(f"{folder} holds {manifest.rows:,} documents, the corpus has fewer: choose another path")
    if _digest(documents) != shard.documents:
        raise ValueError(
            f"{folder / shard.file} was made from other ids or texts than the corpus has: choose another path"
        )
    _read_shard(folder, shard, manifest, verify=not manifest.complete)


def _write_shard(folder: Path, manifest: Manifest, encoder: Encoder, documents: Sequence[Document], bar: Any) -> Shard:
    """Encode one shard and write it as one Arrow record batch."""
    width, texts = manifest.encoder["dimension"], [document.text for document in documents]
    vectors = np.empty((len(texts), width), manifest.dtype)
    for start in range(0, len(texts), _WINDOW):
        window = encoder.encode(texts[start : start + _WINDOW])
        vectors[start : start + _WINDOW] = window
        bar.update(len(window))
    columns: dict[str, pa.Array] = {"id": pa.array([_utf8(document.id) for document in documents], pa.string())}
    if manifest.keep_texts:  # large: a shard of long texts may pass 2 GB
        columns["text"] = pa.array([_utf8(text) for text in texts], pa.large_string())
    columns["embedding"] = pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), width)
    batch = pa.record_batch(columns)
    path = folder / f"data-{len(manifest.shards):05d}.arrow"
    with (
        atomic_file(path) as temporary,
        pa.OSFile(str(temporary), "wb") as sink,
        pa.ipc.new_stream(sink, batch.schema) as out,
    ):
        out.write_batch(batch)
    return Shard(path.name, len(texts), path.stat().st_size, sha256_of(path), _digest(documents))


def _utf8(text: str) -> str:
    return text.encode("utf-8", "replace").decode("utf-8")


def _read_shard(folder: Path, shard: Shard, manifest: Manifest, *, verify: bool) -> pa.Table:
    """Memory-map a shard, refusing what is not as the manifest says."""
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
    kind = pa.list_(pa.from_numpy_dtype(np.dtype(manifest.dtype)), manifest.encoder["dimension"])
    names = ["id", "text", "embedding"] if manifest.keep_texts else ["id", "embedding"]
    if table.column_names != names or table.schema.field("embedding").type != kind or table.num_rows != shard.rows:
        raise ValueError(f"{file}: expected {shard.rows:,} rows with {names}, embedding as {kind}; {advice}")
    return table


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
