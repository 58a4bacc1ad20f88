"""``projhead search``: queries, documents or vectors, answered with ids, scores and texts."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from omegaconf import DictConfig, OmegaConf

from projhead.collection import Collection, Hit
from projhead.commands.ids import ids_of
from projhead.console.printable import printable
from projhead.evaluation.measurements import paths_of
from projhead.persistence.arrays import read_array
from projhead.vectors import Vectors


class Asked(NamedTuple):
    """One thing that is looked for: its name, and what `Collection` takes for it."""

    name: str
    query: str | Vectors
    #: Whether the query is the id of a document in the index.
    by_id: bool = False


def run(cfg: DictConfig) -> float:
    """Print the nearest texts of all that is asked; return the best score of the last one."""
    asked, best = list(_asked(cfg)), 0.0
    collection = Collection.open(cfg.index.path, stores=None if cfg.store is None else paths_of(cfg.store))
    filter_ids = None if cfg.filter_ids is None else ids_of(cfg.filter_ids)
    where: Any = None if cfg.where is None else OmegaConf.to_container(cfg.where)
    for one in asked:
        if one.by_id:
            hits: list[Hit] = collection.similar(str(one.query), cfg.top_k)
        else:
            hits = collection.search(one.query, cfg.top_k, filter_ids=filter_ids, where=where)
        print(_line(one, hits) if cfg.json else _lines(one, hits))
        best = hits[0].score if hits else 0.0
    return best


def _asked(cfg: DictConfig) -> Iterator[Asked]:
    """Yield what is looked for, in the one way that it is given."""
    given = {"query": cfg.query, "queries": cfg.queries.path, "id": cfg.id, "vector": cfg.vector}
    ways = [name for name, value in given.items() if value is not None]
    if len(ways) != 1:
        got = " and ".join(ways) or "none of them"
        raise ValueError(f"expected query=..., queries=..., id=... or vector=..., got {got}; give one")
    if ways == ["id"]:
        if cfg.filter_ids is not None or cfg.where is not None:
            raise ValueError("filter_ids, where: expected a query or a vector to look among some documents, got id=...")
        yield from (Asked(name, name, by_id=True) for name in _several(cfg.id))
    elif ways == ["vector"]:
        rows = np.atleast_2d(_vectors(Path(cfg.vector)))
        yield from (Asked(f"{cfg.vector}[{number}]", row) for number, row in enumerate(rows))
    elif ways == ["queries"] or cfg.query == "-":
        lines = sys.stdin if cfg.query == "-" else Path(cfg.queries.path).read_text(encoding="utf-8").splitlines()
        yield from (Asked(text, text) for line in lines if (text := line.strip()))
    else:
        yield from (Asked(text, text) for text in _several(cfg.query))


def _several(given: Any) -> list[str]:
    return [str(one) for one in given] if not isinstance(given, str | int | float) else [str(given)]


def _vectors(path: Path) -> Vectors:
    rows = read_array(path)
    if rows.ndim not in (1, 2):
        raise ValueError(f"{path}: expected one vector (d,) or several (q, d), got shape {rows.shape}")
    return rows.astype(np.float32)


def _line(one: Asked, hits: list[Hit]) -> str:
    """Return a line of JSON."""
    return json.dumps({"query": one.name, "hits": [hit._asdict() for hit in hits]}, ensure_ascii=False, default=str)


def _lines(one: Asked, hits: list[Hit]) -> str:
    rows = [
        f"  {rank:>2}  {hit.score:.3f}  {printable(hit.id)}  {printable(hit.text)[:110]}"
        for rank, hit in enumerate(hits, start=1)
    ]
    return "\n".join([f"\n{printable(one.name)}", *rows])
