"""Retrieval sets in the BEIR layout (Thakur et al., "BEIR", 2021): a corpus, queries, judgments."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from projhead.corpora.hub import load_hub
from projhead.corpora.split import select
from projhead.corpora.tables import read_columns
from projhead.data import Document
from projhead.settings.ranges import Part

#: Who keeps BEIR's sets on the hub.
_OWNER = "BeIR"


@dataclass(frozen=True)
class RetrievalSet:
    """Documents, queries, and which documents answer which query.

    Attributes
    ----------
    name : str
    corpus, queries : list of Document
    qrels : dict of query id to dict of document id to gain (above 0)
    """

    name: str
    corpus: list[Document]
    queries: list[Document]
    qrels: dict[str, dict[str, float]]


class Beir:
    """The documents of a retrieval set as a corpus to train on or to encode.

    Parameters
    ----------
    path : str
        A folder in the BEIR layout, or a data set of the hub in the layout of ``BeIR/scifact``.
    test_fraction : float
        Share of documents held out (a retrieval set's own splits divide its queries, not its documents).
    """

    def __init__(self, path: str, *, test_fraction: Part = 0.1) -> None:
        self.path, self.test_fraction = _located(path), test_fraction
        self.name = _name(self.path)

    def documents(self, split: str) -> Iterator[Document]:
        """Stream title and text of the documents of split "train", "test" or "all"."""
        return select(_documents(self.path, "corpus"), split, self.test_fraction)


def load_beir(path: str | Path, split: str = "test") -> RetrievalSet:
    """Load a retrieval set.

    Parameters
    ----------
    path : path
        A folder with ``corpus`` and ``queries`` (columns _id, text, and title where there is one; parquet,
        jsonl, csv or tsv) and ``qrels`` (columns query-id, corpus-id, score): one file, with a column split where
        there are several splits, or ``qrels/<split>.tsv``. Or a data set of the hub in the layout of
        ``BeIR/scifact``, its judgments in ``BeIR/scifact-qrels``; where no folder has that name ``scifact`` is that.
    split : str
        Whose judgments; queries without any are dropped.

    Returns
    -------
    RetrievalSet
        Documents are title and text with a space between.

    Raises
    ------
    FileNotFoundError, ValueError
        If a part is missing or malformed, or the split has no judged query.
    """
    path = _located(path)
    qrels = _judgments(path, split)
    queries = [query for query in _documents(path, "queries") if query.id in qrels]
    if not queries:
        raise ValueError(f"{path}: expected queries with judgments in split {split!r}, got none")
    judged = {query.id: qrels[query.id] for query in queries}
    return RetrievalSet(_name(path), list(_documents(path, "corpus")), queries, judged)


def _documents(path: str, part: str) -> Iterator[Document]:
    """Stream the corpus or the queries; ids that come twice would be counted twice."""
    frame = _table(path, part)
    twice = frame["_id"].astype(str).duplicated()
    if twice.any():
        raise ValueError(f"{path}: expected unique ids in {part}, got {frame['_id'][twice].iloc[0]!r} twice")
    titles = frame["title"].fillna("") if "title" in frame.columns else [""] * len(frame)
    for key, title, text in zip(frame["_id"], titles, frame["text"].fillna(""), strict=True):
        yield Document(str(key), f"{title} {text}".strip())


def _judgments(path: str, split: str) -> dict[str, dict[str, float]]:
    columns = ["query-id", "corpus-id", "score"]
    folder = Path(path) / "qrels"
    if folder.is_dir():
        frame = read_columns(folder, columns, split)
    elif Path(path).is_dir():
        frame = read_columns(path, columns, "qrels")
        if "split" in frame.columns:
            frame = frame[frame["split"] == split]
    else:
        frame = load_hub(f"{path}-qrels", None, split, streaming=False).to_pandas()
    scores = pd.to_numeric(frame["score"], errors="coerce")
    if scores.isna().any():
        row = int(scores.isna().to_numpy().argmax())
        raise ValueError(f"{path}: qrels: expected numbers as scores, got {frame['score'].iloc[row]!r} in row {row}")
    qrels: dict[str, dict[str, float]] = defaultdict(dict)
    for query, document, score in zip(frame["query-id"], frame["corpus-id"], scores, strict=True):
        if score > 0:
            qrels[str(query)][str(document)] = float(score)
    return dict(qrels)


def _table(path: str, part: str) -> pd.DataFrame:
    if Path(path).is_dir():
        return read_columns(path, ["_id", "text"], part)
    return load_hub(path, part, part, streaming=False).to_pandas()


def _name(path: str) -> str:
    return Path(path).resolve().name


def _located(path: str | Path) -> str:
    """Return a folder as it is, and a data set of the hub with its owner; refuse what can be neither."""
    if Path(path).is_dir() or re.fullmatch(r"[\w-][\w.-]*/[\w.-]+", str(path)):
        return str(path)
    if re.fullmatch(r"[\w-]+", str(path)):
        return f"{_OWNER}/{path}"
    raise FileNotFoundError(
        f"{path}: no such folder; expected one with corpus, queries and qrels, or owner/name on the hub"
    )
