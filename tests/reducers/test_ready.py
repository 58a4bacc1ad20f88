from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from projhead.encoders.minilm import MiniLM
from projhead.reducers.base import load_reducer
from projhead.reducers.pca import PCA
from projhead.reducers.ready import ready_heads
from projhead.vectors import Vectors

SENTENCES = ["How is a file read in chunks?", "A boat lay beside the pier.", "Reading files piece by piece."]


def test_there_are_some() -> None:
    assert "all-MiniLM-L6-v2-64" in ready_heads()


@pytest.mark.parametrize("name", ready_heads())
def test_a_ready_head_is_loaded_by_its_name(name: str) -> None:
    teacher, _, width = name.rpartition("-")
    head = load_reducer(name)
    assert (head.n_components, head.teacher_.name) == (int(width), teacher)  # type: ignore[union-attr]
    assert {tensor.dtype.itemsize for tensor in head.head_.state_dict().values()} == {4}


def test_it_knows_its_teacher_and_keeps_what_is_alike() -> None:
    head, encoder = load_reducer("all-MiniLM-L6-v2-64"), MiniLM()
    assert head.teacher_ == encoder.identity
    rows = head.transform(encoder.encode(SENTENCES))
    assert rows[0] @ rows[2] > rows[0] @ rows[1] + 0.3


def test_a_folder_of_that_name_comes_first(tmp_path: Path, rows: Vectors, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    PCA(3).fit(rows).save(tmp_path / "all-MiniLM-L6-v2-64")
    assert load_reducer("all-MiniLM-L6-v2-64").kind == "pca"


def test_weights_of_half_the_bytes_move_scores_little(rows: Vectors, tmp_path: Path) -> None:
    pca = PCA(8).fit(rows)
    pca.save(tmp_path / "half", half=True)
    np.testing.assert_allclose(load_reducer(tmp_path / "half").transform(rows), pca.transform(rows), atol=3e-3)
