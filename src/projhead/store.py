"""Vectors on disk: a folder of Arrow shards that `datasets` memory-maps, and a manifest.

A shard is whole or absent. The manifest is written anew after each one, so that an interrupted encode goes on at
the last whole shard; a shard's bytes depend on its texts and the encoder alone.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from tqdm import tqdm

from projhead import spec
from projhead.files import atomic_file, sha256_of, write_json
from projhead.protocols import Document, Encoder

_FORMAT = "projhead-store"
_VERSION = 1
DTYPES = {"float16": pa.float16(), "float32": pa.float32()}


@dataclass(frozen=True)
class Shard:
    """One file of the store: its name, rows, digest of its bytes, and digest of the texts in it."""

    file: str
    rows: int
    sha256: str
    texts: str


@dataclass
class Manifest:
    """What a store holds and where it came from.

    Attributes
    ----------
    encoder : dict
        ``name``, ``revision``, ``dimension``, and ``spec`` to rebuild it (None where that is not possible).
    corpus : dict
        ``name`` and ``fingerprint`` (of all texts in order; empty until complete).
    dtype : str
        ``"float16"`` or ``"float32"``.
    shard_rows : int
        Rows of every shard but the last.
    keep_texts : bool
        Whether the texts are in the shards.
    shards : list of Shard
    complete : bool
        Whether the corpus ended; an unfinished store cannot be opened.
    """

    encoder: dict[str, Any]
    corpus: dict[str, str]
    dtype: str
    shard_rows: int
    keep_texts: bool
    shards: list[Shard] = field(default_factory=list)
    complete: bool = False

    @property
    def rows(self) -> int:
        """Rows in whole shards."""
        return sum(shard.rows for shard in self.shards)

    def write(self, folder: Path) -> None:
        """Write ``manifest.json``, whole or not at all."""
        write_json(folder / "manifest.json", {"format": _FORMAT, "version": _VERSION, **asdict(self)})

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Read ``manifest.json``.

        Raises
        ------
        FileNotFoundError, ValueError
            If there is none; if it is damaged or of another version.
        """
        path = folder / "manifest.json"
        if not path.is_file():
            raise FileNotFoundError(f"no store in {folder}: expected {path}; 'projhead encode' writes one")
        try:
            record = json.loads(path.read_text(encoding="utf-8"))
            found = (record.pop("format"), record.pop("version"))
            if found != (_FORMAT, _VERSION):
                raise ValueError(f"expected format and version {(_FORMAT, _VERSION)}, got {found}")
            record["shards"] = [Shard(**shard) for shard in record["shards"]]
            for shard in record["shards"]:
                if Path(shard.file).name != shard.file:
                    raise ValueError(f"expected a file name, got {shard.file!r}")
            return cls(**record)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise ValueError(f"{path} is damaged or of another version: {error}") from error


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
    def open(cls, path: str | Path, *, verify: bool = True) -> Self:
        """Open a store.

        Parameters
        ----------
        path : path
        verify : bool
            Compare every shard's sha256 with the manifest's (about a second per GB).

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
                f"{folder} is unfinished ({manifest.rows:,} rows so far): run the same encode again, and it goes on"
            )
        tables = []
        for shard in manifest.shards:
            file = folder / shard.file
            if not file.is_file() or (verify and sha256_of(file) != shard.sha256):
                raise ValueError(f"{file} is missing or damaged: delete the store {folder} and encode again")
            tables.append(_read_shard(file))
        table = pa.concat_tables(tables)
        if table.num_rows != manifest.rows:
            raise ValueError(f"{folder}: expected {manifest.rows:,} rows, got {table.num_rows:,}; encode again")
        return cls(folder, manifest, table)

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

    @property
    def rows(self) -> NDArray[Any]:
        """All rows (n, dimension) in the store's dtype: zero-copy from one shard, copied together from several."""
        blocks = list(self.blocks())
        return blocks[0] if len(blocks) == 1 else np.concatenate(blocks)

    def documents(self, numbers: Sequence[int]) -> list[Document]:
        """Return id and text of some rows; the text is empty where texts were not kept."""
        taken = self.table.select([name for name in ("id", "text") if name in self.table.column_names]).take(numbers)
        return [Document(row["id"], row.get("text", "")) for row in taken.to_pylist()]


def fingerprint(texts: Iterable[str]) -> str:
    """Return the digest of texts in order, 64 hex digits."""
    digest = hashlib.sha256()
    for text in texts:
        encoded = text.encode("utf-8", "surrogatepass")
        digest.update(len(encoded).to_bytes(8, "big") + encoded)
    return digest.hexdigest()


def store_path(root: Path, encoder: Encoder, corpus: str, dtype: str) -> Path:
    """Return where the vectors of a corpus, by its fingerprint, lie below `root`."""
    return root / f"{Path(encoder.name).name[:40]}-{encoder.revision}-{corpus[:16]}-{dtype}"


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
    """Encode documents into a store, or go on with an unfinished one; a finished one is opened.

    Memory holds one shard, whatever the size of the corpus.

    Parameters
    ----------
    path : path
        The store's folder.
    encoder : Encoder
    documents : iterable of Document
        Streamed once. When going on, the same documents must come again: the texts of whole shards are compared.
    name : str
        What to call the corpus.
    dtype : str
        ``"float16"`` or ``"float32"``.
    shard_rows : int
        Rows of a shard.
    keep_texts : bool
        Keep texts beside the vectors, for search to answer with.
    total : int, optional
        How many documents there are, for the progress bar.
    show_progress : bool

    Raises
    ------
    ValueError
        If the folder holds a store of another encoder, dtype or texts, or there are no documents.
    """
    folder = Path(path)
    if dtype not in DTYPES:
        raise ValueError(f"dtype: expected one of {', '.join(DTYPES)}, got {dtype!r}")
    if shard_rows < 1:
        raise ValueError(f"shard_rows: expected a positive number, got {shard_rows}")
    manifest = _claim(folder, encoder, name, dtype, shard_rows, keep_texts)
    if manifest.complete:
        return EmbeddingStore.open(folder)
    stream = iter(documents)
    digest = hashlib.sha256()
    with tqdm(total=total, desc=f"encode {name}", unit="text", disable=not show_progress) as bar:
        for shard in manifest.shards:
            digest.update(_check(shard, list(islice(stream, shard.rows)), folder).encode())
            bar.update(shard.rows)
        while part := list(islice(stream, shard_rows)):
            shard = _write_shard(folder, len(manifest.shards), encoder, part, manifest)
            manifest.shards.append(shard)
            manifest.write(folder)
            digest.update(shard.texts.encode())
            bar.update(shard.rows)
    if not manifest.shards:
        raise ValueError(f"{name}: expected at least one document, got none")
    _finish(folder, manifest, digest.hexdigest())
    return EmbeddingStore.open(folder, verify=False)


def _claim(folder: Path, encoder: Encoder, name: str, dtype: str, shard_rows: int, keep_texts: bool) -> Manifest:
    """Start a store, or read the manifest of the one that is there and check that it is the same."""
    identity = {"name": encoder.name, "revision": encoder.revision, "dimension": encoder.dimension}
    wanted = Manifest(
        {**identity, "spec": _recorded(encoder)}, {"name": name, "fingerprint": ""}, dtype, shard_rows, keep_texts
    )
    if not (folder / "manifest.json").exists():
        if folder.is_dir() and any(folder.iterdir()):
            raise ValueError(f"{folder} is not empty and not a store: choose another path")
        wanted.write(folder)
        return wanted
    found = Manifest.read(folder)
    pairs = {
        "encoder": (found.encoder["revision"], encoder.revision), "dtype": (found.dtype, dtype),
        "shard_rows": (found.shard_rows, shard_rows), "keep_texts": (found.keep_texts, keep_texts),
    }  # fmt: skip
    for what, (old, new) in pairs.items():
        if old != new:
            raise ValueError(f"{folder} was begun with {what} {old!r}, got {new!r}: give the same, or choose another path")
    return found


def _recorded(encoder: Encoder) -> dict[str, Any] | None:
    """Return what `spec.build` needs to make the encoder again; None for one that holds other objects."""
    record = spec.spec_of(encoder)
    return record if set(record["parameters"]) == set(spec.parameters_of(encoder)) else None


def _check(shard: Shard, documents: Sequence[Document], folder: Path) -> str:
    """Compare texts that come again with those of a whole shard."""
    if fingerprint(document.text for document in documents) != shard.texts:
        raise ValueError(f"{folder / shard.file} was made from other texts than the corpus has now: choose another path")
    if not (folder / shard.file).is_file() or sha256_of(folder / shard.file) != shard.sha256:
        raise ValueError(f"{folder / shard.file} is missing or damaged: delete the store {folder} and encode again")
    return shard.texts


def _write_shard(folder: Path, number: int, encoder: Encoder, documents: Sequence[Document], manifest: Manifest) -> Shard:
    """Encode one shard and write it as one Arrow record batch."""
    vectors = encoder.encode([document.text for document in documents]).astype(manifest.dtype)
    flat = pa.array(vectors.ravel(), type=DTYPES[manifest.dtype])
    columns: dict[str, pa.Array] = {"id": pa.array([document.id for document in documents], pa.string())}
    if manifest.keep_texts:
        safe = [document.text.encode("utf-8", "replace").decode("utf-8") for document in documents]
        columns["text"] = pa.array(safe, pa.string())
    columns["embedding"] = pa.FixedSizeListArray.from_arrays(flat, vectors.shape[1])
    batch = pa.record_batch(columns)
    path = folder / f"data-{number:05d}.arrow"
    with atomic_file(path) as temporary, pa.OSFile(str(temporary), "wb") as sink, pa.ipc.new_stream(sink, batch.schema) as out:
        out.write_batch(batch)
    return Shard(path.name, len(documents), sha256_of(path), fingerprint(document.text for document in documents))


def _read_shard(file: Path) -> pa.Table:
    try:
        return pa.ipc.open_stream(pa.memory_map(str(file))).read_all()
    except (pa.ArrowInvalid, OSError) as error:
        raise ValueError(f"{file} is damaged: {error}") from error


def _finish(folder: Path, manifest: Manifest, digest: str) -> None:
    """Write what `datasets.load_from_disk` looks for, then say that the store is complete."""
    import datasets

    schema = _read_shard(folder / manifest.shards[0].file).schema
    features = datasets.Features.from_arrow_schema(schema)
    info = datasets.DatasetInfo(features=features, dataset_name=manifest.corpus["name"])
    write_json(folder / "dataset_info.json", asdict(info))
    state = {
        "_data_files": [{"filename": shard.file} for shard in manifest.shards], "_fingerprint": digest[:16],
        "_format_columns": None, "_format_kwargs": {}, "_format_type": None, "_output_all_columns": False,
        "_split": None,
    }  # fmt: skip
    write_json(folder / "state.json", state)
    manifest.corpus["fingerprint"] = digest
    manifest.complete = True
    manifest.write(folder)
