from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import pandas as pd
import pytest

from projhead.corpora import retrieval
from projhead.corpora.retrieval import Beir, load_beir
from projhead.data import Document

CORPUS = pd.DataFrame({"_id": ["007", "d2", "d3"], "title": ["Title", "", None], "text": ["text", "alone", None]})
QUERIES = pd.DataFrame({"_id": ["1", "2", "3"], "text": ["one", "two", "null"]})
QRELS = pd.DataFrame(
    {
        "query-id": ["1", "1", "3", "2", "2"],
        "corpus-id": ["007", "d2", "d3", "d2", "007"],
        "score": [2, 1, 1, 1, 0],
        "split": ["test", "test", "test", "train", "test"],
    }
)
EXPECTED = {"1": {"007": 2.0, "d2": 1.0}, "3": {"d3": 1.0}}


def _parquet(folder: Path) -> None:
    for name, frame in (("corpus", CORPUS), ("queries", QUERIES), ("qrels", QRELS)):
        frame.to_parquet(folder / f"{name}.parquet")


def _original(folder: Path) -> None:
    """Write jsonl and one tsv per split, as BEIR's own archives have them."""
    for name, frame in (("corpus", CORPUS.fillna("")), ("queries", QUERIES)):
        frame.to_json(folder / f"{name}.jsonl", orient="records", lines=True)
    (folder / "qrels").mkdir()
    for split, frame in QRELS.groupby("split"):
        frame.drop(columns="split").to_csv(folder / "qrels" / f"{split}.tsv", sep="\t", index=False)


def _csv(folder: Path) -> None:
    for name, frame in (("corpus", CORPUS), ("queries", QUERIES), ("qrels", QRELS)):
        frame.to_csv(folder / f"{name}.csv", index=False)


@pytest.mark.parametrize("write", [_parquet, _original, _csv])
def test_every_layout_gives_the_same_set(tmp_path: Path, write: Callable[[Path], None]) -> None:
    write(tmp_path)
    found = load_beir(tmp_path)
    assert found.name == tmp_path.name
    assert found.corpus == [Document("007", "Title text"), Document("d2", "alone"), Document("d3", "")]
    assert found.queries == [Document("1", "one"), Document("3", "null")]  # 2 is judged in train alone
    assert found.qrels == EXPECTED
    assert load_beir(tmp_path, "train").qrels == {"2": {"d2": 1.0}}


def test_judgments_without_splits_serve_every_split(tmp_path: Path) -> None:
    _parquet(tmp_path)
    QRELS.drop(columns="split").to_parquet(tmp_path / "qrels.parquet")
    assert set(load_beir(tmp_path, "dev").qrels) == {"1", "2", "3"}


def test_the_layout_of_the_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    frames = {
        ("BeIR/tiny", "corpus", "corpus"): CORPUS,
        ("BeIR/tiny", "queries", "queries"): QUERIES,
        ("BeIR/tiny-qrels", None, "test"): QRELS[QRELS["split"] == "test"].drop(columns="split"),
    }

    def load_hub(path: str, name: str | None, split: str, *, streaming: bool) -> Any:
        return datasets.Dataset.from_pandas(frames[path, name, split], preserve_index=False)

    monkeypatch.setattr(retrieval, "load_hub", load_hub)
    found = load_beir("BeIR/tiny")
    assert found.name == "tiny"
    assert found.qrels == EXPECTED


def test_the_documents_are_a_corpus(tmp_path: Path) -> None:
    _parquet(tmp_path)
    corpus = Beir(str(tmp_path), test_fraction=0.5)
    parts = [*corpus.documents("train"), *corpus.documents("test")]
    assert sorted(parts) == sorted(corpus.documents("all")) == sorted(load_beir(tmp_path).corpus)


def test_what_is_missing_or_malformed_is_refused(tmp_path: Path) -> None:
    for stranger in (str(tmp_path / "none"), "sci fact"):
        with pytest.raises(FileNotFoundError, match="no such folder; expected one with corpus, queries and qrels"):
            load_beir(stranger)
    _parquet(tmp_path)
    with pytest.raises(ValueError, match="expected queries with judgments in split 'dev', got none"):
        load_beir(tmp_path, "dev")
    pd.concat([CORPUS, CORPUS[1:2]]).to_parquet(tmp_path / "corpus.parquet")
    with pytest.raises(ValueError, match="expected unique ids in corpus, got 'd2' twice"):
        load_beir(tmp_path)
    CORPUS.drop(columns="text").to_parquet(tmp_path / "corpus.parquet")
    with pytest.raises(ValueError, match=r"expected the columns \['text'\], got \['_id', 'title'\]"):
        load_beir(tmp_path)
    (tmp_path / "corpus.parquet").unlink()
    with pytest.raises(FileNotFoundError, match=r"expected a file corpus ending in one of .parquet"):
        load_beir(tmp_path)


def test_a_name_alone_is_one_of_beirs_own_sets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert Beir("scifact").path == "BeIR/scifact"
    assert Beir("owner/mine").path == "owner/mine"
    (tmp_path / "scifact").mkdir()
    monkeypatch.chdir(tmp_path)
    assert Beir("scifact").path == "scifact"
