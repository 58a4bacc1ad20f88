"""A FAISS index that was trained elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from projhead.indexes.faiss import FaissIndex
from projhead.vectors import Vectors, unit_rows

#: Rows added at once.
_BLOCK = 65_536


class TrainedFaissIndex(FaissIndex):
    """Rows added to a trained, empty index, such as ``export=faiss_codes`` writes.

    Parameters
    ----------
    path : path
        The file of the empty index.
    nprobe : int, optional
        As in `FaissIndex`.
    """

    def __init__(self, path: str, *, nprobe: int | None = None) -> None:
        super().__init__("trained", nprobe=nprobe)
        self.path = str(path)

    def build(self, rows: Vectors) -> Self:
        """Add unit rows (n, d), float16 or float32, to the index in the file, which stays as it is.

        Raises
        ------
        ValueError
            If the file is no trained and empty index, or one of rows of another width.
        """
        self.load(Path(self.path))
        index = self.index
        assert index is not None
        if not index.is_trained or index.ntotal or index.d != rows.shape[1]:
            raise ValueError(
                f"{self.path}: expected a trained, empty index of rows of width {rows.shape[1]}, got width {index.d}, "
                f"trained: {index.is_trained}, rows: {index.ntotal}; name what export=faiss_codes wrote"
            )
        for start in range(0, len(rows), _BLOCK):
            index.add(unit_rows(rows[start : start + _BLOCK]))
        return self
