"""Retrieval sets in the BEIR layout (Thakur et al., "BEIR", 2021): a corpus, queries, judgements."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from projhead.corpora.split import select
from projhead.corpora.tables import READERS, read_columns
from projhead.protocols import Document


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

    def __init__(self, path: str, *, test_fraction: float = 0.1) -> None:
        self.path, self.test_fraction = path, test_fraction
        self.name = Path(path).name

    def documents(self, split: str) -> Iterator[Document]:
        """Stream title and text of the documents of split "train", "test" or "all"."""
        return select(_documents(_table(self.path, "corpus", ["_id", "text"])), split, self.test_fraction)


def load_beir(path: str | Path, split: str = "test") -> RetrievalSet:
    """Load a retrieval set.

    Parameters
    ----------
    path : path
        A folder with ``corpus`` and ``queries`` (columns _id, text, title where there is one; parquet, jsonl, csv)
        and ``qrels`` (query-id, corpus-id, score; one file with a column split, or ``qrels/<split>.tsv``), or a
        data set of the hub with configurations corpus and queries and its judgements in ``<name>-qrels``.
    split : str
        Whose judgements; queries without any are dropped.

    Raises
    ------
    FileNotFoundError, ValueError
        If a part is missing, or the split has no judged query.
    """
    qrels = _judgements(str(path), split)
    queries = [query for query in _documents(_table(str(path), "queries", ["_id", "text"])) if query.id in qrels]
    if not queries:
        raise ValueError(f"{path}: no query has a judgement in split {split!r}")
    corpus = list(_documents(_table(str(path), "corpus", ["_id", "text"])))
    return RetrievalSet(Path(path).name, corpus, queries, {query.id: qrels[query.id] for query in queries})


def _documents(frame: pd.DataFrame) -> Iterator[Document]:
    titles = frame["title"].fillna("") if "title" in frame.columns else [""] * len(frame)
    for key, title, text in zip(frame["_id"], titles, frame["text"].fillna(""), strict=True):
        yield Document(str(key), f"{title} {text}".strip())


def _judgements(path: str, split: str) -> dict[str, dict[str, float]]:
    columns = ["query-id", "corpus-id", "score"]
    folder = Path(path) / "qrels"
    if folder.is_dir():
        frame = read_columns(folder, columns, split)
    elif Path(path).is_dir():
        frame = read_columns(path, columns, "qrels")
        if "split" in frame.columns:
            frame = frame[frame["split"] == split]
    else:
        frame = _hub(f"{path}-qrels", None, split)
    qrels: dict[str, dict[str, float]] = defaultdict(dict)
    for query, document, score in zip(*(frame[column] for column in columns), strict=True):
        if score > 0:
            qrels[str(query)][str(document)] = float(score)
    return dict(qrels)


def _table(path: str, name: str, columns: list[str]) -> pd.DataFrame:
    if Path(path).is_dir():
        return read_columns(path, columns, name)
    if Path(path).suffix in READERS or path.startswith((".", "/")):
        raise FileNotFoundError(f"{path}: expected a folder with corpus, queries and qrels")
    return _hub(path, name, name)


def _hub(path: str, configuration: str | None, split: str) -> pd.DataFrame:
    import datasets

    return datasets.load_dataset(path, configuration, split=split).to_pandas()
