"""Classify texts by their vectors."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier

from projhead.corpora.tables import read_columns
from projhead.data import Scores
from projhead.protocols import Encoder
from projhead.tasks.data_sets import Paths, data_sets, texts_of
from projhead.tasks.documents import stored

_NEIGHBORS = 10
#: Texts and their labels.
Labeled = tuple[list[str], list[str]]


class Classification:
    """Accuracy of logistic regression and of the 10 nearest neighbors' vote.

    Both are scikit-learn's at their defaults (``C=1``; cosine for neighbors), the same for every width, as
    all rows are of unit length. Logistic regression asks whether labels are linear in the vectors (Conneau
    and Kiela, "SentEval", 2018), the vote whether neighbors share them.

    Parameters
    ----------
    path : path or list of paths
        Folders with a file (parquet, csv, tsv, jsonl) for each split, one data set each.
    train_split, test_split : str
        Names of those files.
    text_column, label_column : str
        Their columns.
    """

    def __init__(
        self,
        path: Paths,
        train_split: str = "train",
        test_split: str = "test",
        text_column: str = "text",
        label_column: str = "label",
    ) -> None:
        self.path, self.train_split, self.test_split = path, train_split, test_split
        self.text_column, self.label_column = text_column, label_column

    def run(self, encoder: Encoder, teacher: Encoder) -> Iterator[Scores]:
        """Yield 1 or 0 per test text for each data set and classifier; `teacher` is not used.

        Raises
        ------
        FileNotFoundError, ValueError
            If a file or column is missing, a text or label too, or there is too little to train on.
        """
        for name, (texts, labels), (test_texts, test_labels) in self._sets:
            rows, test_rows = stored(encoder, encoder.encode(texts)), encoder.encode(test_texts)
            for metric, model in (
                ("logistic_accuracy", LogisticRegression(max_iter=1000)),
                ("knn_accuracy", KNeighborsClassifier(_NEIGHBORS, metric="cosine")),
            ):
                right = model.fit(rows, labels).predict(test_rows) == np.array(test_labels)
                yield Scores(f"classification/{name}", metric, right.astype(np.float64))

    @cached_property
    def _sets(self) -> list[tuple[str, Labeled, Labeled]]:
        """The name, training and test texts of every data set: read once for all encoders."""
        sets = []
        for name, path in data_sets(self.path).items():
            train, test = (self._read(path, split) for split in (self.train_split, self.test_split))
            if len(set(train[1])) < 2 or len(train[1]) < _NEIGHBORS:
                raise ValueError(
                    f"{path}: expected at least {_NEIGHBORS} training texts with 2 labels, "
                    f"got {len(train[1])} with {len(set(train[1]))}"
                )
            sets.append((name, train, test))
        return sets

    def _read(self, path: Path, split: str) -> Labeled:
        if not path.is_dir():
            raise FileNotFoundError(f"{path}: expected a folder with files {self.train_split} and {self.test_split}")
        named = {
            self.text_column: "task.classification.text_column",
            self.label_column: "task.classification.label_column",
        }
        frame = read_columns(path, named, split)
        return texts_of(frame, self.text_column, path / split), texts_of(frame, self.label_column, path / split)
