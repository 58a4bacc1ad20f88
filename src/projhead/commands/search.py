"""``projhead search``: queries, documents or vectors, answered with ids, scores and texts."""

from __future__ import annotations

from typing import Any

from omegaconf import DictConfig, OmegaConf

from projhead.collection import Collection
from projhead.collection.questions import answers, ids_of, questions
from projhead.evaluation.measurements import names_of


def run(cfg: DictConfig) -> float:
    """Print the nearest texts of all that is asked; return the best score of the last one."""
    where: Any = None if cfg.where is None else OmegaConf.to_container(cfg.where)
    asked = questions(cfg.query, queries=cfg.queries.path, id=cfg.id, vector=cfg.vector)
    collection = Collection.open(cfg.index.path, stores=None if cfg.store is None else names_of(cfg.store))
    filter_ids, best = None if cfg.filter_ids is None else ids_of(cfg.filter_ids), 0.0
    for answer in answers(collection, asked, cfg.top_k, filter_ids=filter_ids, where=where):
        print(answer.json if cfg.json else answer)
        best = answer.hits[0].score if answer.hits else 0.0
    return best
