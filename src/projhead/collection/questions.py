"""Questions to a collection, as a user gives them, and their answers as text or JSON."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from projhead.collection.collection import Collection
from projhead.collection.hit import Hit
from projhead.console.printable import printable
from projhead.persistence.arrays import read_array
from projhead.vectors import Vectors

#: Characters of a text that are shown.
_SHOWN = 110


class Question(NamedTuple):
    """One thing that is looked for.

    Attributes
    ----------
    name : str
        What the user calls it.
    query : str or ndarray of shape (d,)
        What `Collection.search` takes; of a document its id.
    by_id : bool
        Whether the query is the id of a document in the index.
    """

    name: str
    query: str | Vectors
    by_id: bool = False


class Answer(NamedTuple):
    """A question and what was found, best first."""

    question: Question
    hits: list[Hit]

    @property
    def json(self) -> str:
        """One line of JSON: ``{"query": ..., "hits": [...]}``."""
        told = {"query": self.question.name, "hits": [hit._asdict() for hit in self.hits]}
        return json.dumps(told, ensure_ascii=False, default=str)

    def __str__(self) -> str:
        rows = [
            f"  {rank:>2}  {hit.score:.3f}  {printable(hit.id)}  {printable(hit.text)[:_SHOWN]}"
            for rank, hit in enumerate(self.hits, start=1)
        ]
        return "\n".join([f"\n{printable(self.question.name)}", *rows])


def questions(
    query: Any = None,
    *,
    queries: str | Path | None = None,
    id: Any = None,
    vector: str | Path | None = None,
) -> list[Question]:
    """Return what is looked for, given in one of four ways.

    Parameters
    ----------
    query : str or iterable of str, optional
        Texts; ``"-"`` reads them from standard input, one a line.
    queries : path, optional
        A file with a text a line.
    id : str or iterable of str, optional
        Of documents in the index, whose neighbors are looked for.
    vector : path, optional
        A .npy file with one vector (d,) or several (q, d).

    Raises
    ------
    ValueError
        If not one way is used, or the file holds no vectors.
    """
    given = {"query": query, "queries": queries, "id": id, "vector": vector}
    ways = [name for name, value in given.items() if value is not None]
    if len(ways) != 1:
        got = " and ".join(ways) or "none of them"
        raise ValueError(f"expected query=..., queries=..., id=... or vector=..., got {got}; give one")
    if id is not None:
        return [Question(name, name, by_id=True) for name in _several(id)]
    if vector is not None:
        rows = np.atleast_2d(_vectors(Path(vector)))
        return [Question(f"{vector}[{number}]", row) for number, row in enumerate(rows)]
    if queries is not None:
        query = [line.strip() for line in Path(queries).read_text(encoding="utf-8").splitlines() if line.strip()]
    elif query == "-":
        query = [line.strip() for line in sys.stdin if line.strip()]
    return [Question(text, text) for text in _several(query)]


def answers(
    collection: Collection,
    asked: Iterable[Question],
    top_k: int = 10,
    *,
    filter_ids: Iterable[str] | None = None,
    where: Mapping[str, Any] | None = None,
) -> Iterator[Answer]:
    """Yield the answer to each question.

    Parameters
    ----------
    collection : Collection
    asked : iterable of Question
    top_k, filter_ids, where
        As `Collection.search` takes them.

    Raises
    ------
    ValueError
        If the neighbors of a document are to be looked for among some documents only.
    """
    kept = None if filter_ids is None else list(filter_ids)
    for one in asked:
        if not one.by_id:
            yield Answer(one, collection.search(one.query, top_k, filter_ids=kept, where=where))
        elif kept is None and where is None:
            yield Answer(one, collection.similar(str(one.query), top_k))
        else:
            raise ValueError("filter_ids, where: expected a query or a vector to look among some documents, got id=...")


def ids_of(given: str | Path | Iterable[Any]) -> list[str]:
    """Return ids of documents from a list, or from a file with one a line."""
    if isinstance(given, str | Path):
        return Path(given).read_text(encoding="utf-8").splitlines()
    return [str(one) for one in given]


def _several(given: Any) -> list[str]:
    return [str(given)] if isinstance(given, str | int | float) else [str(one) for one in given]


def _vectors(path: Path) -> Vectors:
    rows = read_array(path)
    if rows.ndim not in (1, 2):
        raise ValueError(f"{path}: expected one vector (d,) or several (q, d), got shape {rows.shape}")
    return rows.astype(np.float32)
