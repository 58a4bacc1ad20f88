"""Load a store into a database table, index it, and compare its answers with exact search."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from tqdm import tqdm

from projhead.databases.base import Database
from projhead.errors import UserError, nearest
from projhead.persistence.registry import build
from projhead.settings.address import checked_address
from projhead.settings.options import option, options_of
from projhead.store.arrow import Form, evenly, reader
from projhead.store.store import EmbeddingStore
from projhead.vectors import Vectors, unit_rows

_TOP_K = 10
#: Scores closer than this are ties, as in `projhead.vectors`.
_TIE = 1e-6


class Loaded(NamedTuple):
    """What a database holds now, and how well it answers.

    Attributes
    ----------
    rows, new : int
        In the table, and sent by this call.
    seconds, index_seconds : float
        For the new rows, and for the index.
    form : Form
        Of the rows there: puts queries into it.
    recall : float or None
        Share of the exact ten nearest float rows that the database finds for rows of the store, itself left out; None
        where the store has too few.
    """

    rows: int
    new: int
    seconds: float
    index_seconds: float
    form: Form
    recall: float | None


def database_at(address: str, **settings: object) -> Database:
    """Return the database that an address names by its scheme.

    Raises
    ------
    UserError
        If there is no such kind of database or setting, or the address holds a password or a token.
    """
    kind = checked_address(address).partition("://")[0]
    if kind not in (known := options_of("database")):
        raise UserError(f"to: expected one of {'://, '.join(known)}://, got {kind}://{nearest(kind, known)}")
    made: Database = build(option("database", kind, address=address, **settings), "database")
    return made


def load(
    store: EmbeddingStore,
    database: Database | str,
    *,
    rows: str | None = None,
    columns: Sequence[str] | None = None,
    batch_rows: int = 2048,
    n_queries: int = 100,
    show_progress: bool = False,
) -> Loaded:
    """Load a store, or go on where a load of it was interrupted; memory holds one batch.

    Parameters
    ----------
    store : EmbeddingStore
    database : Database or str
        Or its address: ``"postgresql://user@host/db"``, ``"lance://folder"``, ``"milvus://host:19530"``,
        ``"qdrant://host:6333"``.
    rows : {"float32", "float16", "int8", "bit"}, optional
        As in `EmbeddingStore.to_arrow`, of those that the database compares; its first where not given.
    columns : sequence of str, optional
        What goes with the ids; everything that the store keeps where not given.
    batch_rows : int
        Rows sent at once.
    n_queries : int
        Rows of the store that are asked for afterwards; 0 for none.
    show_progress : bool

    Raises
    ------
    UserError
        If the database does not compare such rows, or the table holds something else.
    ConnectionError, ModuleNotFoundError
        If the database is not there; if its client is not installed.
    """
    base = database_at(database) if isinstance(database, str) else database
    if not store.manifest.encoder.unit:
        raise UserError(
            f"{store.folder}: expected rows of unit length, got {store.manifest.encoder.name}'s, whose lengths "
            "mean something and would be lost: load them with the database's own client"
        )
    name = rows or base.forms[0]
    if name not in base.forms:
        raise UserError(f"rows: {base.address} compares {', '.join(base.forms)}, got {name}; choose one of these")
    schema = reader(store, name, columns, batch_rows).schema
    form = Form.of(schema)
    try:
        here = base.begin(schema, form, _mark(store, schema, form))
        if here > len(store):
            raise UserError(
                f"{base.address}: {base.table} holds {here:,} rows, the store {len(store):,}: drop it first"
            )
        started, new = time.perf_counter(), len(store) - here
        with tqdm(total=len(store), initial=here, desc="load", unit="row", disable=not show_progress) as bar:
            for batch in reader(store, name, columns, batch_rows, here):
                base.insert(batch, here)
                here += len(batch)
                bar.update(len(batch))
        loaded = time.perf_counter()
        base.finish()
        done = time.perf_counter()
        recall = _recall(store, base, form, n_queries)
    finally:
        base.close()
    return Loaded(len(store), new, loaded - started, done - loaded, form, recall)


def _mark(store: EmbeddingStore, schema: pa.Schema, form: Form) -> str:
    """Return what a table says of itself, so that nothing else is ever appended to it."""
    encoder, corpus = store.manifest.encoder, store.manifest.corpus
    told = {"encoder": encoder.name, "revision": encoder.fingerprint, "fingerprint": corpus["fingerprint"]}
    return json.dumps({"projhead": 1, **told, "columns": schema.names, "rows": form._asdict()}, sort_keys=True)


def check_mark(found: str | None, wanted: str, table: str) -> None:
    """Compare a table's mark with the store to be loaded.

    Raises
    ------
    UserError
        If it is another's, or holds another store.
    """
    if found != wanted:
        what = "is no table of projhead's" if not found else f"was loaded from something else ({found:.300})"
        raise UserError(f"{table} {what}; got rows of {wanted:.300}: choose another table=..., or drop it first")


def _recall(store: EmbeddingStore, base: Database, form: Form, n_queries: int) -> float | None:
    top_k = min(_TOP_K, len(store) - 1)
    if top_k < 1 or n_queries < 1:
        return None
    numbers = evenly(len(store), n_queries)
    queries = unit_rows(store.take(numbers))
    own = [document.id for document in store.documents(numbers.tolist())]
    answers = base.search(form.codes(queries), top_k + 1)
    found = [[one for one in ids if one != mine][:top_k] for mine, ids in zip(own, answers, strict=True)]
    return _share(store, queries, own, found, top_k)


def _share(
    store: EmbeddingStore, queries: Vectors, own: Sequence[str], found: Sequence[Sequence[str]], top_k: int
) -> float:
    """Return which share of the answers is as near as the exact `top_k`, in one pass through the store."""
    best = np.full((len(queries), top_k), -np.inf, np.float32)
    scores = np.full((len(queries), top_k), -np.inf, np.float32)
    named = {(query, one): rank for query, ids in enumerate(found) for rank, one in enumerate(ids)}
    wanted = pa.array(sorted({*own, *(one for ids in found for one in ids)}))
    asked: dict[str, list[int]] = {}
    for query, one in [*named, *enumerate(own)]:
        asked.setdefault(one, []).append(query)
    for batch in reader(store, "float32", [], 8192):
        rows = batch.column(1).flatten().to_numpy().reshape(len(batch), -1)
        near = queries @ rows.T  # (q, rows)
        for row in np.flatnonzero(pc.is_in(batch.column(0), value_set=wanted).to_numpy(zero_copy_only=False)):
            name = batch.column(0)[int(row)].as_py()
            for query in asked[name]:
                if own[query] == name:
                    near[query, row] = -np.inf
                else:
                    scores[query, named[query, name]] = near[query, row]
        best = -np.sort(-np.concatenate([best, near], axis=1), axis=1)[:, :top_k]
    return float((scores >= best[:, -1:] - _TIE).mean())
