"""Embed texts in a store, or find the store that holds them."""

from __future__ import annotations

from collections.abc import Iterable, Sized
from pathlib import Path
from typing import Any

from projhead.codecs.base import BaseCodec
from projhead.corpora.files import TextFiles
from projhead.data import Document
from projhead.persistence.registry import build
from projhead.protocols import Corpus, Encoder
from projhead.settings.options import option
from projhead.store.store import EmbeddingStore
from projhead.store.write import write_store


def embed(
    encoder: Encoder,
    documents: Iterable[str | Document] | Corpus | None = None,
    *,
    out: str | Path,
    split: str = "all",
    codec: str | BaseCodec | None = None,
    count: bool = False,
    show_progress: bool = True,
    **options: Any,
) -> EmbeddingStore:
    """Encode documents into a store, go on with an interrupted one, or open a finished one.

    Parameters
    ----------
    encoder : Encoder
    documents : iterable of str or Document, or Corpus
        Of texts alone the ids are their numbers. Of vectors made elsewhere, which are their own corpus, all rows where
        not given.
    out : path
        The folder of the store, or its URL, such as ``s3://bucket/docs``: its rows are copied here when they are asked
        for. Found again it is opened: texts are compared, none is encoded twice.
    split : {"all", "train", "test"}
        Of a corpus.
    codec : str or BaseCodec, optional
        Store codes of fewer bytes: ``"int8"``, ``"pq:32"``, or a codec of `projhead.codecs`.
    count : bool
        Read a corpus that can be read twice once more, so that the bar knows its end.
    show_progress : bool
    **options
        As `write_store` takes them: `name`, `dtype`, `calibration_rows`, `shard_rows`, `keep_texts`, `side`, `columns`,
        `total`.

    Raises
    ------
    TypeError
        If `documents` is one string.
    ValueError
        If there are none, or the folder holds something else.

    Examples
    --------
    >>> import numpy as np
    >>> from projhead import embed, load_encoder
    >>> np.save("vectors.npy", np.random.default_rng(0).normal(size=(200, 32)))
    >>> store = embed(load_encoder("vectors.npy", similarity="cosine"), out="store", codec="int8", show_progress=False)
    >>> len(store), store.dimension, store.codec.name
    (200, 32, 'int8')
    """
    if isinstance(documents, str):
        raise TypeError("documents: expected texts, got one string; put it into a list")
    source: Any = encoder if documents is None else documents
    if documents is None and not hasattr(encoder, "documents"):
        raise ValueError(f"documents: expected texts for {encoder.name} to encode, got none")
    if hasattr(source, "documents"):
        options = {"name": source.name, "columns": getattr(source, "columns", None), **options}
        if count and not (isinstance(source, TextFiles) and source.once):
            options = {"total": sum(1 for _ in source.documents(split)), **options}
        source = source.documents(split)
    elif isinstance(source, Sized):
        options = {"total": len(source), **options}
    made: BaseCodec | None = build(option("codec", codec), "codec") if isinstance(codec, str) else codec
    return write_store(out, encoder, _numbered(source), codec=made, show_progress=show_progress, **options)


def _numbered(texts: Iterable[str | Document]) -> Iterable[Document]:
    for number, one in enumerate(texts):
        yield one if isinstance(one, Document) else Document(str(number), one)
