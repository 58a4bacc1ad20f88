"""``projhead search``: typed queries, answered with texts and scores."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from projhead.collection import Collection
from projhead.printable import printable


def run(cfg: DictConfig) -> float:
    """Print the nearest texts of every query; return the best score of the last one."""
    if cfg.query == "-":
        queries = [line.rstrip("\n") for line in sys.stdin]
    else:
        queries = [cfg.query] if isinstance(cfg.query, str) else [str(query) for query in cfg.query]
    collection, best = Collection.open(cfg.index.path), 0.0
    filter_ids = None if cfg.filter_ids is None else ids_of(cfg.filter_ids)
    for query in queries:
        print(f"\n{printable(query)}")
        for rank, hit in enumerate(collection.search(query, cfg.top_k, filter_ids=filter_ids), start=1):
            best = hit.score if rank == 1 else best
            print(f"  {rank:>2}  {hit.score:.3f}  {printable(hit.id)}  {printable(hit.text)[:110]}")
    return best


def ids_of(given: str | Iterable[Any]) -> list[str]:
    """Return ids from a list, or from a file with one a line."""
    if not isinstance(given, str):
        return [str(one) for one in given]
    return Path(given).read_text(encoding="utf-8").splitlines()
