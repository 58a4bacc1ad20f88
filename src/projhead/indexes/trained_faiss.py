"""A FAISS index that was trained elsewhere."""

from __future__ import annotations

from typing import Any

import faiss

from projhead.indexes.faiss import FaissIndex, _check, _reason


class TrainedFaissIndex(FaissIndex):
    """Rows added to a trained, empty index, such as ``export=faiss_codes`` writes.

    Parameters
    ----------
    path : path
        The file of the empty index; it stays as it is, and is needed to build only.
    nprobe : int, optional
        As in `FaissIndex`.
    """

    def __init__(self, path: str, *, nprobe: int | None = None) -> None:
        super().__init__("trained", nprobe=nprobe)
        self.path = str(path)

    def _made(self, dimension: int) -> Any:
        try:
            index = faiss.read_index(self.path)
        except RuntimeError as error:
            raise ValueError(f"{self.path} is not a FAISS index, or damaged: {_reason(error)}") from None
        _check(index, self.path)
        if not index.is_trained or index.ntotal or index.d != dimension:
            raise ValueError(
                f"{self.path}: expected a trained, empty index of rows of width {dimension}, got width {index.d}, "
                f"trained: {index.is_trained}, rows: {index.ntotal}; name what export=faiss_codes wrote"
            )
        return index
