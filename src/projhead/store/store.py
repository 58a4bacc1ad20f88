"""Vectors on disk, as floats or codes: a folder of Arrow shards that `datasets` memory-maps, and a manifest.

A shard is whole or absent. The manifest is written anew after each one, so that an interrupted encode goes on
at the last whole shard; a shard's bytes depend on its documents and the encoder alone.
"""

from __future__ import annotations

import hashlib
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any, Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from projhead.codecs.base import BaseCodec
from projhead.data import Document
from projhead.persistence.files import locked, write_json
from projhead.persistence.identity import EncoderIdentity, expect_same
from projhead.persistence.leftovers import clear, leftover
from projhead.persistence.names import trusting
from projhead.persistence.registry import is_whole, renewed, spec_of
from projhead.progress import progress
from projhead.protocols import Encoder
from projhead.store.arrow import FormName, reader
from projhead.store.codec import FOLDER, Encoded, fit_or_open_codec, open_codec
from projhead.store.manifest import DTYPES, SHARD_FILE, Manifest, Shard
from projhead.store.shard import add_text, digest_of, read_shard, write_shard
from projhead.store.side import Side, side_of, way_of
from projhead.store.where import matching
from projhead.vectors import Vectors

#: What a process killed while writing may leave behind.
_LEFTOVER = leftover(rf"{SHARD_FILE}|manifest\.json|dataset_info\.json|state\.json|{FOLDER}")
#: Documents encoded between two steps of the progress bar.
_WINDOW = 4096
#: Codes decoded at once.
_DECODED = 8192
#: Stores up to this size are verified whenever they are opened: about a second.
_VERIFIED_BYTES = 1_000_000_000


class EmbeddingStore:
    """A finished store, opened for reading.

    Attributes
    ----------
    folder : Path
    manifest : Manifest
    table : pyarrow.Table
        Columns ``id``, ``text`` (where kept), the documents' other `columns` and ``embedding``, rows or codes,
        memory-mapped.
    codec : BaseCodec or None
        What wrote the codes; None where rows are floats.
    encoder : Encoder or None
        What made the rows, where it is at hand.
    """

    encoder: Encoder | None = None

    def __init__(self, folder: Path, manifest: Manifest, table: pa.Table, codec: BaseCodec | None) -> None:
        self.folder, self.manifest, self.table, self.codec = folder, manifest, table, codec

    @classmethod
    def open(cls, path: str | Path, *, verify: bool | None = None, trusted: Sequence[str] = ()) -> Self:
        """Open a store.

        Parameters
        ----------
        path : path
        verify : bool, optional
            Compare every shard's sha256 with the manifest's; where not given, of stores up to 1 GB. Sizes are
            always compared.
        trusted : sequence of str
            Packages of the user's own whose codec it may name: their code is run.

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
        tables = [read_shard(folder, shard, manifest, verify=verify) for shard in manifest.shards]
        with trusting(trusted):
            codec = open_codec(folder, manifest)
        return cls(folder, manifest, pa.concat_tables(tables), codec)

    def by(self, encoder: Encoder) -> Self:
        """Keep the encoder that made the rows at hand."""
        self.encoder = encoder
        return self

    def __len__(self) -> int:
        return int(self.table.num_rows)

    @property
    def dimension(self) -> int:
        """Width of the rows."""
        return self.manifest.encoder.dimension

    @property
    def identity(self) -> EncoderIdentity:
        """That of the encoder that made the rows."""
        return self.manifest.encoder

    def codes(self) -> Iterator[NDArray[Any]]:
        """Yield what is stored of each shard, (rows, items), zero-copy from the memory map."""
        for chunk in self.table["embedding"].chunks:
            yield chunk.flatten().to_numpy(zero_copy_only=True).reshape(len(chunk), -1)

    def blocks(self) -> Iterator[NDArray[Any]]:
        """Yield the rows (rows, dimension) of each shard, zero-copy; codes are decoded, some thousands at once."""
        for stored in self.codes():
            for start in range(0, len(stored), len(stored) if self.codec is None else _DECODED):
                yield stored if self.codec is None else self.codec.decode(stored[start : start + _DECODED].copy())

    @cached_property
    def rows(self) -> NDArray[Any]:
        """All rows (n, dimension): floats in the store's dtype, zero-copy from one shard, a copy of several."""
        blocks = list(self.blocks())
        return blocks[0] if len(blocks) == 1 else np.concatenate(blocks)

    def take(self, numbers: Sequence[int] | NDArray[np.int64]) -> NDArray[Any]:
        """Return some rows (n, dimension) by their numbers."""
        taken = self.table["embedding"].take(pa.array(numbers, pa.int64())).combine_chunks()
        stored: NDArray[Any] = taken.flatten().to_numpy(zero_copy_only=True).reshape(len(numbers), self.manifest.items)
        return stored if self.codec is None else self.codec.decode(stored.copy())

    def to_arrow(
        self, rows: FormName = "float32", columns: Sequence[str] | None = None, *, batch_rows: int = 8192
    ) -> pa.RecordBatchReader:
        """Stream the store to other programs: databases, DuckDB, Polars, Parquet.

        Codes of the store itself never leave it: compared as they are, without their codec, they would mislead.

        Parameters
        ----------
        rows : {"float32", "float16", "int8", "bit"}
            Of the unit rows. int8 has one scale for all dimensions, bits are signs: both may be compared as they are,
            with queries in the same form, by inner product and by Hamming distance. `projhead.store.arrow.Form.of`
            reads from the schema which form that is, what it keeps, and puts queries into it.
        columns : sequence of str, optional
            What goes with the ids; everything that the store keeps where not given.
        batch_rows : int
            Rows of a batch, which is all that memory holds.

        Returns
        -------
        pyarrow.RecordBatchReader
            ``id``, the columns, and ``embedding``: a list of fixed size, of bytes for bits (eight in each, the first
            dimension in the highest).

        Raises
        ------
        ValueError
            If there is no such form or column.
        """
        return reader(self, rows, columns, batch_rows)

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

    @property
    def columns(self) -> list[str]:
        """Names of what else is stored of every document: ``store.table.select(store.columns)``."""
        return list(self.manifest.columns)

    def where(self, conditions: Mapping[str, Any]) -> NDArray[np.int64]:
        """Return the numbers of the rows whose columns meet conditions, see `projhead.store.where.matching`."""
        return matching(self.table.select(self.columns), conditions)

    def documents(self, numbers: Sequence[int]) -> list[Document]:
        """Return id, text and other columns of some rows; the text is empty where texts were not kept."""
        names = [name for name in self.table.column_names if name != "embedding"]
        taken = self.table.select(names).take(pa.array(numbers, pa.int64()))
        return [Document(row.pop("id"), row.pop("text", ""), row) for row in taken.to_pylist()]


def store_path(root: Path, encoder: Encoder, corpus: str, dtype: str, side: Side = "document") -> Path:
    """Return where the vectors of a corpus, by its fingerprint, lie below `root`."""
    name, key = (re.sub(r"[^\w.-]+", "_", one) for one in (Path(encoder.name).name[:40], encoder.identity.key))
    other = f"-{side}" if side_of(encoder, side) in ("query", "plain") else ""
    return root / f"{name}-{key}-{corpus[:16]}-{dtype}{other}"


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
    wanted = _wanted(encoder, name, dtype, codec, shard_rows, keep_texts, side_of(encoder, side), [*(columns or {})])
    if fingerprint is not None:
        wanted.corpus["fingerprint"] = fingerprint
    with locked(folder):
        manifest = _begun(folder, wanted)
        begun = manifest.corpus["fingerprint"]
        if fingerprint is not None and begun not in ("", fingerprint):
            raise ValueError(f"{folder} was made from other texts than the corpus has: choose another path")
        known = fingerprint is not None and begun == fingerprint
        if known and manifest.complete and codec is None:
            return EmbeddingStore.open(folder).by(encoder)
        stream, digest = iter(documents), hashlib.sha256()
        for shard in manifest.shards:
            part = list(islice(stream, shard.rows))
            _compare(folder, manifest, shard, part, known)
            for document in [] if known else part:
                add_text(digest, document.text)
        if manifest.complete:
            if not known and digest.hexdigest() != begun:
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
            for shard_documents, rows in encoded:
                number = len(manifest.shards)
                manifest.shards.append(_stored(folder, number, manifest, shard_documents, rows, settled, columns))
                manifest.write(folder)
                for document in [] if known else shard_documents:
                    add_text(digest, document.text)
        if not manifest.shards:
            raise ValueError(f"{name}: expected at least one document, got none")
        if begun and not known and digest.hexdigest() != begun:
            raise ValueError(f"{folder} was begun with other texts than the corpus has: choose another path")
        _finish(folder, manifest, begun or digest.hexdigest())
    _give_back_memory()
    return EmbeddingStore.open(folder, verify=False).by(encoder)


def _give_back_memory() -> None:
    """Free a GPU's cache, where one is used: what comes next has other shapes."""
    if (torch := sys.modules.get("torch")) is not None:
        torch.cuda.empty_cache()


def _wanted(
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


def _stored(
    folder: Path,
    number: int,
    manifest: Manifest,
    documents: Sequence[Document],
    rows: Vectors,
    codec: BaseCodec | None,
    columns: Mapping[str, pa.DataType] | None,
) -> Shard:
    """Write one shard, as floats or codes."""
    if codec is None:
        return write_shard(folder, number, manifest, documents, rows.astype(manifest.dtype, copy=False), 0, columns)
    before = codec.clipped
    codes = codec.encode(rows)
    return write_shard(folder, number, manifest, documents, codes, codec.clipped - before, columns)


def _begun(folder: Path, wanted: Manifest) -> Manifest:
    """Return the manifest to go on with: that of the store in the folder, if it is what is wanted."""
    names = [one.name for one in folder.iterdir()]
    if "manifest.json" not in names:
        strangers = [name for name in names if not re.fullmatch(f"{SHARD_FILE}|{FOLDER}|{_LEFTOVER}", name)]
        if strangers:
            raise ValueError(f"{folder} is not a store, and not empty ({strangers[0]}): choose another path")
    clear(folder)
    if "manifest.json" not in names:
        return wanted
    found = Manifest.read(folder)
    expect_same(found.encoder, wanted.encoder, str(folder), "encode with that, or choose another path")
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
                f"{folder} was begun with {what} {old!r}, got {new!r}: give the same, or choose another path"
            )
    return found


def _settings(manifest: Manifest) -> Any:
    return manifest.codec and renewed(manifest.codec["spec"])


def _record(encoder: Encoder) -> dict[str, Any] | None:
    """Return what `build` needs to make the encoder again; None for one that holds more than a record can."""
    record = spec_of(encoder)
    return record if is_whole(record, "encoder") else None


def _compare(folder: Path, manifest: Manifest, shard: Shard, documents: Sequence[Document], known: bool) -> None:
    """Check that a whole shard is still whole, and of these documents, whose texts may be `known` to be the same."""
    if len(documents) < shard.rows:
        raise ValueError(f"{folder} holds {manifest.rows:,} documents, the corpus has fewer: choose another path")
    table = read_shard(folder, shard, manifest, verify=not manifest.complete)
    # Where the corpus was known as a whole, the shard says nothing of its documents, and its ids are there to compare.
    ids_differ = not shard.documents and table["id"].to_pylist() != [document.id for document in documents]
    if ids_differ or (shard.documents and not known and digest_of(documents) != shard.documents):
        raise ValueError(
            f"{folder / shard.file} was made from other ids or texts than the corpus has: choose another path"
        )


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
