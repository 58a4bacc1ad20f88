"""``projhead search``: typed queries, answered with texts and scores."""

from __future__ import annotations

import sys
from pathlib import Path

from omegaconf import DictConfig, ListConfig

from projhead.commands.indexed import document_ids, numbers_of, stores_of
from projhead.data import Document
from projhead.indexes.base import load_index
from projhead.persistence.registry import build
from projhead.printable import printable
from projhead.protocols import Encoder


def run(cfg: DictConfig) -> float:
    """Print the nearest texts of every query; return the best score of the last one."""
    if cfg.query == "-":
        queries = [line.rstrip("\n") for line in sys.stdin]
    else:
        queries = [cfg.query] if isinstance(cfg.query, str) else [str(query) for query in cfg.query]
    searcher, best = Searcher(Path(cfg.index.path), filter_ids=cfg.filter_ids), 0.0
    for query in queries:
        print(f"\n{printable(query)}")
        for rank, (score, name, text) in enumerate(searcher(query, cfg.top_k), start=1):
            best = score if rank == 1 else best
            print(f"  {rank:>2}  {score:.3f}  {printable(name)}  {printable(text)[:110]}")
    return best


class Searcher:
    """An index, the stores that it was built on, and the encoder that all speak for.

    Parameters
    ----------
    path : Path
        A folder that ``projhead index`` wrote.
    among : list of str, or path, optional
        Ids of the documents to look among, or a file with one a line; all where not given.

    Raises
    ------
    FileNotFoundError, ValueError
        If there is no index; if it is damaged, or not of its stores any more.
    """

    def __init__(self, path: Path, *, filter_ids: str | ListConfig | None = None) -> None:
        self.index = load_index(path)
        self.stores = stores_of(self.index, path)
        self.filter_ids = None if filter_ids is None else numbers_of(self.index, self.stores, document_ids(filter_ids))
        record = self.index.metadata["encoder"]
        if record["spec"] is None:
            raise ValueError(f"{path}: its encoder cannot be built from a record ({record['name']})")
        self.encoder: Encoder = build(record["spec"], "encoder")
        if self.encoder.revision != record["revision"]:
            raise ValueError(
                f"{path} speaks for {record['name']} at revision {record['revision']}, "
                f"which is now {self.encoder.revision}: encode and index again"
            )

    def __call__(self, query: str, top_k: int) -> list[tuple[float, str, str]]:
        """Return (score, id, text) of the nearest documents, best first."""
        scores, numbers = self.index.search(self.encoder.encode([query]), top_k, filter_ids=self.filter_ids)
        return [
            (float(score), *self._document(int(number)))
            for score, number in zip(scores[0], numbers[0], strict=True)
            if number >= 0
        ]

    def _document(self, number: int) -> Document:
        for store in self.stores:
            if number < len(store):
                return store.documents([number])[0]
            number -= len(store)
        raise ValueError(f"the index names row {number} beyond its stores: build it again")
