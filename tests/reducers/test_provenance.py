"""Artifacts say everything that made them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from projhead.data import Document
from projhead.encoders.precomputed import Precomputed
from projhead.losses.info_nce import InfoNCE
from projhead.reducers.base import load_reducer
from projhead.reducers.learned import LearnedReducer
from projhead.reducers.pca import PCA
from projhead.store.write import write_store
from projhead.vectors import Vectors

SMALL = {"n_documents": 32, "max_steps": 3, "blend": 1.0, "random_state": 5}


def test_what_was_left_open_is_said_as_it_was_settled(rows: Vectors, tmp_path: Path) -> None:
    reducer = LearnedReducer(4, **SMALL).fit(rows[:400], queries=rows[400:500], pairs=[[0, 1], [1, 3]])
    reducer.save(tmp_path / "a")
    made = json.loads((tmp_path / "a" / "config.json").read_text())["body"]["provenance"]
    assert made == load_reducer(tmp_path / "a").provenance_
    assert (made["rows"], made["queries"], made["pairs"], made["seed"], made["max_steps"]) == (400, 100, 2, 5, 3)
    assert made["loss"]["class"] == "loss/NeighborKL"
    assert made["loss"]["parameters"]["teacher_temperatures"]
    assert made["optimizer"]["class"] == "AdamW"
    assert made["optimizer"]["parameters"]["lr"] > 0
    assert made["schedule"]["then"] == "a cosine to zero"
    assert reducer.training_["steps"] == 3


def test_what_was_given_is_said_too(rows: Vectors) -> None:
    made = LearnedReducer(4, loss=InfoNCE, **SMALL).fit(rows).provenance_
    assert made["loss"]["class"] == "loss/InfoNCE"


def test_a_store_says_its_corpus(rows: Vectors, tmp_path: Path) -> None:
    np.save(tmp_path / "rows.npy", rows[:50])
    encoder = Precomputed(str(tmp_path / "rows.npy"))
    documents = (Document(str(number), text) for number, text in enumerate(encoder.texts_or_rows()))
    store = write_store(tmp_path / "store", encoder, documents, name="numbers")
    assert PCA(4).fit(store).provenance_["corpus"] == store.manifest.corpus
    assert PCA(4).fit(rows).provenance_ == {"rows": len(rows), "seed": None}
