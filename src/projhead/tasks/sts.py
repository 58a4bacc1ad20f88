"""Semantic textual similarity (Cer et al., "SemEval-2017 Task 1", 2017)."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from projhead.corpora.tables import read_columns
from projhead.data import Scores
from projhead.protocols import Encoder
from projhead.tasks.data_sets import Paths, data_sets, texts_of
from projhead.tasks.documents import stored


class STS:
    """Spearman's correlation of the cosine of two sentences with what people said.

    Parameters
    ----------
    path : path or list of paths
        Files (parquet, csv, tsv, jsonl) with columns sentence1, sentence2 and score, or folders of such files
        by split; one data set each.
    split : str
        The file that is read of a folder.
    """

    def __init__(self, path: Paths, split: str = "test") -> None:
        self.path, self.split = path, split

    def run(self, encoder: Encoder, teacher: Encoder) -> Iterator[Scores]:
        """Yield the pairs (cosine, score) of each data set; `teacher` is not used.

        Raises
        ------
        FileNotFoundError, ValueError
            If a file or column is missing, a text or score too, or all scores are equal.
        """
        for name, first, second, gold in self._sets:
            asked, kept = encoder.encode(first), stored(encoder, encoder.encode(second))
            cosine = (asked.astype(np.float64) * kept).sum(1)
            yield Scores(f"sts/{name}", "spearman", np.column_stack([cosine, gold]), "spearman")

    @cached_property
    def _sets(self) -> list[tuple[str, list[str], list[str], NDArray[np.float64]]]:
        """The name, both sides and the scores of every data set: read once for all encoders."""
        sets = []
        for name, path in data_sets(self.path).items():
            frame = read_columns(path, ["sentence1", "sentence2", "score"], self.split)
            first, second = (texts_of(frame, column, path) for column in ("sentence1", "sentence2"))
            sets.append((name, first, second, _scores(frame, path)))
        return sets


def _scores(frame: pd.DataFrame, path: Path) -> NDArray[np.float64]:
    gold: NDArray[np.float64] = pd.to_numeric(frame["score"], errors="coerce").to_numpy(np.float64)
    if not np.isfinite(gold).all():
        bad = int(np.flatnonzero(~np.isfinite(gold))[0])
        raise ValueError(f"{path}: column 'score': expected numbers, got {frame['score'].iloc[bad]!r} in row {bad}")
    if (gold == gold[0]).all():
        raise ValueError(
            f"{path}: column 'score': expected scores that differ, got only {gold[0]:g}; nothing to rank by"
        )
    return gold
