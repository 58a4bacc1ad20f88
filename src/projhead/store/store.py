"""A store: Arrow shards of vectors or codes, memory-mapped, and a manifest."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Self, cast

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from projhead.codecs.base import BaseCodec
from projhead.corpora.text_column import TextColumn
from projhead.data import Document
from projhead.persistence.files import is_url
from projhead.persistence.identity import EncoderIdentity
from projhead.persistence.names import trusting
from projhead.persistence.record import VERIFIED_BYTES
from projhead.protocols import Encoder
from projhead.store.arrow import FormName, reader
from projhead.store.codec import open_codec
from projhead.store.manifest import Manifest
from projhead.store.remote import fetched
from projhead.store.rows import DECODED, StoredRows
from projhead.store.shard import read_shard
from projhead.store.side import Side, side_of
from projhead.store.where import matching


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
    url : str or None
        Where `folder` was copied from.
    """

    encoder: Encoder | None = None
    url: str | None = None

    def __init__(self, folder: Path, manifest: Manifest, table: pa.Table, codec: BaseCodec | None) -> None:
        self.folder, self.manifest, self.table, self.codec = folder, manifest, table, codec

    @classmethod
    def open(cls, path: str | Path, *, verify: bool | None = None, trusted: Sequence[str] = ()) -> Self:
        """Open a store.

        Parameters
        ----------
        path : path
            Or a URL such as ``s3://bucket/docs``, which fsspec reads: the store is copied into the user's cache, once.
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
        url = str(path) if is_url(path) else None
        folder = Path(path) if url is None else fetched(url)
        manifest = Manifest.read(folder)
        if not manifest.complete:
            raise ValueError(
                f"{folder} is unfinished ({manifest.rows:,} rows so far): run the same encode again to go on"
            )
        if verify is None:
            verify = sum(shard.bytes for shard in manifest.shards) <= VERIFIED_BYTES
        tables = [read_shard(folder, shard, manifest, verify=verify) for shard in manifest.shards]
        with trusting(trusted):
            codec = open_codec(folder, manifest)
        store = cls(folder, manifest, pa.concat_tables(tables), codec)
        store.url = url
        return store

    def by(self, encoder: Encoder) -> Self:
        """Remember the encoder that made the rows, so that it is not built again; return the store."""
        self.encoder = encoder
        return self

    def __len__(self) -> int:
        return self.manifest.rows

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
            for start in range(0, len(stored), len(stored) if self.codec is None else DECODED):
                yield stored if self.codec is None else self.codec.decode(stored[start : start + DECODED].copy())

    @cached_property
    def rows(self) -> NDArray[Any]:
        """All rows (n, dimension): floats in the store's dtype, zero-copy from one shard, a copy of several.

        Where they may be many, `lazy_rows` holds none of them.
        """
        blocks = list(self.blocks())
        return blocks[0] if len(blocks) == 1 else np.concatenate(blocks)

    @cached_property
    def lazy_rows(self) -> NDArray[Any]:
        """All rows (n, dimension) to be read as they are asked for: a `LazyRows`, which every `fit` takes."""
        return cast("NDArray[Any]", StoredRows(list(self.codes()), self.dimension, self.codec))

    def take(self, numbers: Sequence[int] | NDArray[np.int64]) -> NDArray[Any]:
        """Return some rows (n, dimension) by their numbers."""
        return self.lazy_rows[np.asarray(numbers, np.int64)]

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
    def disk_bytes(self) -> int:
        """What its shards take, in bytes."""
        return sum(shard.bytes for shard in self.manifest.shards)

    @property
    def ids(self) -> list[str]:
        """The id of every row."""
        return list(self.table["id"].to_pylist())

    @property
    def texts(self) -> list[str]:
        """The text of every row; where they may be many, `lazy_texts` holds none of them.

        Raises
        ------
        ValueError
            If texts were not kept.
        """
        return list(self.lazy_texts)

    @property
    def lazy_texts(self) -> Sequence[str]:
        """The text of every row, to be read as they are asked for.

        Raises
        ------
        ValueError
            If texts were not kept.
        """
        if not self.manifest.keep_texts:
            raise ValueError(f"{self.folder} holds no texts: encode again with keep_texts=true")
        return TextColumn(self.table["text"])

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
