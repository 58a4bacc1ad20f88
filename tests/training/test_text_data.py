from __future__ import annotations

from itertools import islice
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from projhead.training import text_data
from projhead.training.text_data import TextBatch, TextData
from projhead.vectors import Vectors

TEXTS = [f"{number} {'x ' * (number % 37)}" for number in range(600)]
LENGTHS = [len(text.split()) for text in TEXTS]


def _features(texts: list[str]) -> dict[str, object]:
    return {"numbers": torch.tensor([int(text.split()[0]) for text in texts]), "modality": "text"}


@pytest.fixture
def data(rows: Vectors) -> TextData:
    made = TextData(
        TEXTS, rows, 400, preprocess=_features, lengths=LENGTHS, token_budget=200, n_documents=50,
        neighbors_per_query=3, neighbor_pool=5,
        steps_per_epoch=7, validation_rows=64, seed=3,
    )  # fmt: skip
    made.setup("fit")
    return made


def _from(data: TextData, step: int) -> list[TextBatch]:
    data.trainer = SimpleNamespace(global_step=step)  # type: ignore[assignment]
    return list(data.train_dataloader())


def test_a_pass_shows_each_text_once_within_the_budget_and_none_that_is_held_out(data: TextData) -> None:
    steps = list(islice(data._plan(), 200))
    total, seen = 0, []
    for numbers in steps:
        assert len(numbers) * max(LENGTHS[number] for number in numbers) <= 200
        if total < len(data.training):
            seen += numbers.tolist()
            total += len(numbers)
    assert sorted(seen) == data.training.tolist()
    assert sorted([*seen, *data.validation]) == list(range(600))
    lengths = [np.array(LENGTHS)[numbers] for numbers in steps]
    assert np.mean([each.max() - each.min() for each in lengths]) < 8  # like lengths, of 37 there are


def test_a_step_is_the_same_whenever_it_is_reached(data: TextData) -> None:
    later = _from(data, 5)
    for one, other in zip(_from(data, 0)[5:], later, strict=False):
        torch.testing.assert_close(one.features, other.features)
        torch.testing.assert_close(one[1:], other[1:])
    assert len(later) == 7


def test_a_batch_holds_the_teachers_rows_and_some_of_the_documents_nearest_to_each_text(
    data: TextData, rows: Vectors
) -> None:
    similarity = rows @ rows[:400].T
    nearest = np.argsort(-similarity, axis=1)[:, :5]
    for batch in _from(data, 0):
        numbers = batch.features["numbers"].numpy()
        assert list(batch.features) == ["numbers"]
        np.testing.assert_allclose(batch.rows, rows[numbers], atol=1e-6)
        found = (batch.documents.numpy() @ rows[:400].T).argmax(1)
        assert np.array_equal(found, np.unique(found))
        assert all(len(set(nearest[number]) & set(found)) >= 1 for number in numbers)
        assert len(found) >= 50
        np.testing.assert_array_equal(batch.self_mask, numbers[:, None] == found[None, :])


def test_held_out_texts_validate(data: TextData) -> None:
    batches = list(data.val_dataloader())
    assert sorted(np.concatenate([batch.features["numbers"] for batch in batches])) == data.validation.tolist()
    assert len(data.validation) == 30  # a twentieth
    assert all(len(batch.documents) == 256 for batch in batches)


def test_neighbors_in_a_large_corpus_are_those_in_a_sample_for_the_texts_of_an_epoch_alone(
    data: TextData, rows: Vectors, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(text_data, "_MOST", 100)
    data._index = None
    data.setup("fit")
    assert len(data._documents) == len(set(data._documents)) == 100
    assert 60 < np.median(data._documents) < 340  # of all 400
    batches = _from(data, 0)
    asked = np.concatenate([batch.features["numbers"] for batch in batches])
    assert len(data._neighbors) == len(set(asked)) < 600
    nearest = data._documents[np.argsort(-(rows @ rows[data._documents].T), axis=1)[:, :5]]
    for batch in batches:
        found = set((batch.documents.numpy() @ rows[:400].T).argmax(1))
        assert all(set(nearest[number]) & found for number in batch.features["numbers"].tolist())
        assert not found <= set(data._documents)  # random ones are of all documents
    for one, other in zip(batches[5:], _from(data, 5), strict=False):
        torch.testing.assert_close(one[1:], other[1:])
