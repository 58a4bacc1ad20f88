from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from projhead.corpora.queries import labeled_queries

TEXTS = ["About cats. They sleep a lot.", "About dogs. They bark a lot."]


@pytest.fixture
def data_set(tmp_path: Path) -> str:
    ids = ["a", "b", "held out"]
    texts = [*TEXTS, "About birds. They fly far."]
    pd.DataFrame({"_id": ids, "text": texts}).to_parquet(tmp_path / "corpus.parquet")
    pd.DataFrame({"_id": ["1", "2"], "text": ["what barks", "what flies"]}).to_parquet(tmp_path / "queries.parquet")
    pd.DataFrame(
        {
            "query-id": ["1", "2", "2"],
            "corpus-id": ["b", "held out", "a"],
            "score": [1, 1, 0],
            "split": ["train", "train", "train"],
        }
    ).to_parquet(tmp_path / "qrels.parquet")
    return str(tmp_path)


def test_judgments_name_query_and_document_by_number(data_set: str) -> None:
    queries = labeled_queries(TEXTS, path=data_set, keep=1)
    assert queries.texts[-2:] == ["what barks", "what flies"]
    assert len(queries.documents) == len(queries.texts) - 2
    assert [(queries.texts[q], TEXTS[d]) for q, d in queries.pairs] == [("what barks", TEXTS[1])]


def test_judgments_of_other_documents_are_refused(data_set: str) -> None:
    with pytest.raises(ValueError, match="none of the documents that split 'train' judges is among the 1 trained on"):
        labeled_queries(["Something else."], path=data_set)
