"""A collection: stores, an index over them and their encoder, searched by text, vector or id."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from projhead.codecs.base import BaseCodec
from projhead.collection.documents import Documents
from projhead.collection.hit import Hit
from projhead.collection.places import opened, place_of, told_of
from projhead.encoders.lifted import asking
from projhead.encoders.load import encoder_of
from projhead.encoders.reduced import Reduced
from projhead.indexes.base import BaseIndex, load_index
from projhead.persistence.files import expect_local
from projhead.persistence.identity import EncoderIdentity, expect_same
from projhead.persistence.registry import build
from projhead.protocols import Encoder, Engine
from projhead.settings.options import option, options_of
from projhead.store.store import EmbeddingStore
from projhead.vectors.as_rows import as_rows


class Collection:
    """An index whose rows are the documents of stores, all of one encoder.

    Rows are numbered through the stores in order; users see ids. `build` and `open` make collections.

    Parameters
    ----------
    index : BaseIndex
        Built on the rows of `stores`.
    stores : sequence of EmbeddingStore
    path : path, optional
        The folder of the index.

    Examples
    --------
    >>> import numpy as np
    >>> from projhead import Collection, embed, load_encoder
    >>> np.save("vectors.npy", np.random.default_rng(0).normal(size=(200, 32)))
    >>> store = embed(load_encoder("vectors.npy", similarity="cosine"), out="store", show_progress=False)
    >>> index = Collection.build(store, "IVF4,Flat", out="index")
    >>> index.search(store.rows[7], top_k=1)[0].id
    '7'
    >>> Collection.open("index").delete(["7"])
    1
    """

    def __init__(self, index: BaseIndex, stores: Sequence[EmbeddingStore], path: str | Path | None = None) -> None:
        self.index, self.documents = index, Documents(stores)
        self.path = None if path is None else Path(path)

    @classmethod
    def build(
        cls,
        store: EmbeddingStore,
        index: str | BaseIndex = "Flat",
        *,
        codec: BaseCodec | None = None,
        engine: Engine | None = None,
        out: str | Path | None = None,
    ) -> Self:
        """Index the rows of a store.

        Parameters
        ----------
        store : EmbeddingStore
        index : str or BaseIndex
            A FAISS factory string such as ``"IVF256,Flat"``, the name of a kind of index such as ``"exact"``, or an
            index of `projhead.indexes`.
        codec : BaseCodec, optional
            How the index stores rows, where that is to be chosen.
        engine : Engine, optional
            What builds it, where this kind can be built elsewhere than here (`FaissOnDiskIndex`).
        out : path, optional
            Write it to this folder; `save` does so later.
        """
        if out is not None:
            expect_local(out)  # before the work
        made = _index_named(index) if isinstance(index, str) else index
        made = made if codec is None else made.coded(codec)
        made = made if engine is None else made.built_by(engine)
        collection = cls(made.build(store), [store])
        if out is not None:
            collection.save(out)
        return collection

    @classmethod
    def open(cls, path: str | Path, *, stores: Sequence[str | Path] | None = None, trusted: Sequence[str] = ()) -> Self:
        """Open an index that was saved, and its stores.

        Parameters
        ----------
        path : path
        stores : sequence of path, optional
            Where the stores are, in order, if they are not where they were from the index's folder.
        trusted : sequence of str
            Packages of the user's own whose classes records may name: their code is run.

        Raises
        ------
        FileNotFoundError, ValueError
            If there is no index, or it is of no store; if a part is damaged, gone, or not what was indexed.
        """
        index = load_index(path, trusted=trusted)
        told = index.metadata.get("stores")
        if not told:
            raise ValueError(f"{path} does not say which stores it is of: 'projhead index' writes one that does")
        places = [place_of(Path(path), one["path"]) for one in told] if stores is None else list(stores)
        if len(places) != len(told):
            raise ValueError(f"stores: expected {len(told)}, those of the index {path}, got {len(places)}")
        held = [opened(Path(path), place, one, trusted) for place, one in zip(places, told, strict=True)]
        encoder = EncoderIdentity.of_record(index.metadata.get("encoder"))
        for store in held:
            expect_same(encoder, store.identity, str(store.folder), f"it was written again: build {path} again")
        return cls(index, held, path)

    @cached_property
    def encoder(self) -> Encoder:
        """The stores' encoder, built again from their record, for queries.

        Raises
        ------
        ValueError
            If it cannot be built, or is not what it was.
        """
        return encoder_of(self.stores[0])

    @property
    def stores(self) -> list[EmbeddingStore]:
        """The stores, in the order of their rows."""
        return self.documents.stores

    def __len__(self) -> int:
        return len(self.index)

    @property
    def ids(self) -> list[str]:
        """Ids of the documents in the index, in order of their rows."""
        names: list[str] = self.documents.ids.take(self._held()).to_pylist()
        return names

    def add(self, store: EmbeddingStore) -> Self:
        """Add the documents of another store of the same encoder.

        Raises
        ------
        ValueError
            If it is of another encoder, or an id is in the index already.
        """
        mine, other = self.stores[0].identity, store.identity
        expect_same(mine, other, str(store.folder), "encode it with the encoder of the index")
        if store.manifest.side != self.stores[0].manifest.side:
            raise ValueError(
                f"{store.folder} holds side {store.manifest.side} of {other.name}, the index side "
                f"{self.stores[0].manifest.side}: encode it with side={self.stores[0].manifest.side}"
            )
        twice = self.documents.ids.take(self.documents.shared(store.table["id"], self._held())).to_pylist()
        if twice:
            raise ValueError(
                f"{store.folder}: document {min(twice)!r} is in the index already ({len(twice):,} such): "
                "delete it first, or give its documents ids of their own (corpus.id_column=...)"
            )
        first = len(self.documents)
        self.index.add(store, ids=range(first, first + len(store)))
        self.documents = Documents([*self.stores, store])
        return self

    def delete(self, ids: Iterable[str]) -> int:
        """Delete documents by id; return how many.

        Raises
        ------
        ValueError
            If one is not in the index, or this kind of index cannot delete.
        """
        return self.index.delete(self.documents.numbers(ids, self._held()))

    def search(
        self,
        query: Any,
        top_k: int = 10,
        *,
        filter_ids: Iterable[str] | None = None,
        where: Mapping[str, Any] | None = None,
    ) -> Any:
        """Find the nearest documents of a query, or of several.

        Parameters
        ----------
        query : str, sequence of str, or array-like of shape (d,) or (q, d)
            Texts, or vectors of the encoder; of its teacher, where documents went through a head.
        top_k : int
        filter_ids : iterable of str, optional
            Look only among these documents.
        where : mapping of column to value, optional
            Look only among documents whose columns have that value, one of a list of them, or one within
            ``{"min": ..., "max": ...}``.

        Returns
        -------
        list of Hit, or list of them for several queries
            Best first; fewer than `top_k` where the index holds or finds fewer.
        """
        single = isinstance(query, str)
        rows = (
            self.encoder.encode_query([query] if single else list(query))
            if _texts(query)
            else asking(np.asarray(as_rows(query, "query")), self.stores[0].identity)
        )
        if rows.ndim == 1:
            single, rows = True, rows[None]
        if rows.ndim == 2 and rows.shape[1] != self.stores[0].dimension:
            rows = self._reduced(rows)
        chosen = self._chosen(filter_ids, where)
        if chosen is not None and not len(chosen):
            found: list[list[Hit]] = [[] for _ in rows]
        else:
            found = self.documents.hits(*self.index.search(rows, min(top_k, len(self) or 1), filter_ids=chosen))
        return found[0] if single else found

    def _chosen(self, filter_ids: Iterable[str] | None, where: Mapping[str, Any] | None) -> NDArray[np.int64] | None:
        """Return the numbers of the rows to look among, None for all."""
        chosen = None if filter_ids is None else self.documents.numbers(filter_ids, self._held())
        if where is None:
            return chosen
        found = self.documents.where(where, self._held())
        return found if chosen is None else np.intersect1d(chosen, found)

    def _reduced(self, rows: NDArray[Any]) -> NDArray[Any]:
        """Return the teacher's vectors by the head that the documents went through; others as they are."""
        encoder = self.encoder if self.stores[0].manifest.spec else None
        head = encoder.fitted if isinstance(encoder, Reduced) else None
        return rows if head is None or head.n_features_in_ != rows.shape[1] else np.asarray(head.transform(rows))

    def similar(self, id: str, top_k: int = 10) -> list[Hit]:
        """Find the nearest documents of a document in the index, itself left out.

        Raises
        ------
        ValueError
            If it is not in the index.
        """
        number = int(self.documents.numbers([id], self._held())[0])
        store, row = self.documents.place(number)
        found = self.documents.hits(*self.index.search(store.take([row]), min(top_k + 1, len(self))))[0]
        return [hit for hit in found if hit.id != id][:top_k]

    def save(self, path: str | Path | None = None) -> None:
        """Write the index, in place of an older one there; a kill leaves the old or the new.

        Parameters
        ----------
        path : path, optional
            The folder that it was opened from or saved to, where not given.

        Raises
        ------
        ValueError
            If there is no such folder, it holds something else, or another process changed the index meanwhile.
        """
        if path is None and self.path is None:
            raise ValueError("path: expected the folder to write the index to, got none")
        self.path = self.path if path is None else Path(path)
        assert self.path is not None
        self.index.metadata = {
            "encoder": self.stores[0].identity.record,
            "stores": [told_of(store, self.path) for store in self.stores],
        }
        self.index.save(self.path)

    @property
    def disk_bytes(self) -> int:
        """What the folder of the index takes, in bytes; 0 before it is saved."""
        files = [] if self.path is None else [file for file in self.path.rglob("*") if file.is_file()]
        return sum(file.stat().st_size for file in files)

    def _held(self) -> NDArray[np.int64]:
        """Return the numbers of the rows that are in the index."""
        every = self.index.ids.array
        return every[every >= 0]


def _texts(query: Any) -> bool:
    return isinstance(query, str) or (not isinstance(query, np.ndarray) and all(isinstance(one, str) for one in query))


def _index_named(name: str) -> BaseIndex:
    spec = option("index", name) if name in options_of("index") else option("index", "faiss", factory=name)
    index: BaseIndex = build(spec, "index")
    return index
