"""Annoy: forests of random splits in memory-mapped files."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np

from projhead.data import Footprint
from projhead.indexes.base import BaseIndex
from projhead.indexes.ids import Places
from projhead.indexes.rows import unit_blocks
from projhead.protocols import Rows
from projhead.settings.ranges import Count, Seed
from projhead.vectors import Vectors

_FILE = "index.ann"
#: Bytes of a node besides its vector.
_HEAD = 12
#: Nodes of a tree, times the rows that a leaf can hold (as many as fit into a node), per row: leaves are ln 2 full.
_SPLITS = 2 / math.log(2)


class AnnoyIndex(BaseIndex):
    """An Annoy index (Bernhardsson, "Annoy", github.com/spotify/annoy); needs ``pip install 'projhead[annoy]'``.

    Rows are of unit length, so its angular distance e orders them as the inner product 1 - e^2 / 2, which is the
    score. Annoy builds once: `add` builds anew from the rows that it holds, and it cannot delete.

    Parameters
    ----------
    n_trees : int
        More are more exact and larger.
    search_k : int
        Nodes visited per query; -1 for as many as neighbors asked for times trees.
    random_state : int
    """

    def __init__(self, n_trees: Count = 50, search_k: int = -1, random_state: Seed = 0) -> None:
        self.n_trees, self.search_k, self.random_state = n_trees, search_k, random_state

    def _made(self, dimension: int) -> Any:
        try:
            from annoy import AnnoyIndex as Annoy
        except ImportError as error:
            raise ImportError("index=annoy needs Annoy and a C++ compiler: pip install 'projhead[annoy]'") from error
        index = Annoy(dimension, "angular")
        index.set_seed(self.random_state)
        return index

    def _grown(self, index: Any, rows: Rows) -> Any:
        for block in unit_blocks(rows):
            for place, row in enumerate(block, start=index.get_n_items()):
                index.add_item(place, row)
        index.build(self.n_trees, n_jobs=1)  # several threads would not give the same trees again
        return index

    def _build(self, rows: Rows) -> None:
        self.index = self._grown(self._made(rows.dimension), rows)

    def _add(self, rows: Rows) -> None:
        index = self._made(self.dimension)
        for place in range(self.index.get_n_items()):
            index.add_item(place, self.index.get_item_vector(place))
        self.index = self._grown(index, rows)

    def _delete(self, places: Places) -> None:
        raise ValueError("Annoy cannot delete: build the index again without these rows")

    def _search(self, queries: Vectors, top_k: int, filter_ids: Places | None) -> tuple[Vectors, Places]:
        if filter_ids is not None:
            raise ValueError("Annoy cannot look among some rows only: choose exact or faiss")
        scores = np.full((len(queries), top_k), -np.inf, np.float32)
        places = np.full((len(queries), top_k), -1, np.int64)
        for row, query in enumerate(queries):
            found, distances = self.index.get_nns_by_vector(query, top_k, self.search_k, include_distances=True)
            scores[row, : len(found)] = 1 - np.square(distances) / 2
            places[row, : len(found)] = found
        return scores, places

    def _write(self, folder: Path) -> None:
        self.index.save(str(folder / _FILE))  # and goes on with that file, even when its name is gone

    def _read(self, folder: Path) -> None:
        self.index = self._made(self.dimension)
        self.index.load(str(folder / _FILE))

    def _nbytes(self) -> int:
        return self.footprint(self.ids.n_places, self.dimension).memory

    def footprint(self, n: int, dimension: int) -> Footprint:
        """Return what `n` rows of a width take, as expected of splits at random; the file is mapped, not read."""
        nodes = n * (1 + _SPLITS * self.n_trees / (dimension + 2))
        size = int(nodes * (_HEAD + 4 * dimension))
        return Footprint(size, size)
