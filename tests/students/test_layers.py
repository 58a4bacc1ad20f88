from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from projhead.encoders.fingerprint import fingerprint_of
from projhead.encoders.precomputed import Precomputed
from projhead.encoders.sentence_transformer import SentenceTransformerEncoder
from projhead.students.layers import Layers

TEXTS = ["the owl is near a boat.", "under the old red tower", "drums"]


@pytest.mark.parametrize(("asked", "kept"), [([1, 3], [1, 3]), (2, [0, 3]), (3, [0, 2, 3]), (1, [0])])
def test_the_rows_are_those_of_the_layers_kept(
    teacher: SentenceTransformerEncoder, asked: int | list[int], kept: list[int]
) -> None:
    model = Layers(asked)(teacher, [])
    network = teacher.model[0].auto_model
    features = teacher.model.preprocess(TEXTS)
    with torch.inference_mode():
        hidden = network.embeddings(features["input_ids"])
        mask = features["attention_mask"][:, None, None, :].bool()
        for number in kept:
            hidden = network.encoder.layer[number](hidden, mask)
        weight = features["attention_mask"][..., None]
        expected = torch.nn.functional.normalize((hidden * weight).sum(1) / weight.sum(1), dim=1)
    np.testing.assert_allclose(model.encode(TEXTS), expected, atol=1e-5)


def test_the_teacher_stays_as_it_was_and_a_written_student_is_the_same(
    teacher: SentenceTransformerEncoder, tmp_path: Path
) -> None:
    model = Layers([0, 2])(teacher, [])
    with torch.no_grad():
        next(model.parameters()).add_(1)
    assert fingerprint_of(teacher.model) == teacher.identity.fingerprint
    assert teacher.model[0].auto_model.config.num_hidden_layers == 4
    model.save_pretrained(str(tmp_path / "written"), create_model_card=False)
    again = SentenceTransformerEncoder(str(tmp_path / "written"), device="cpu")
    np.testing.assert_allclose(again.encode(TEXTS), model.encode(TEXTS), atol=1e-6)


@pytest.mark.parametrize("asked", [0, 5, [], [1, 0], [0, 0], [-1], [4]])
def test_layers_that_there_are_not_are_refused(teacher: SentenceTransformerEncoder, asked: int | list[int]) -> None:
    with pytest.raises(ValueError, match=r"layers: expected .* got"):
        Layers(asked)(teacher, [])


def test_vectors_alone_have_no_layers(tmp_path: Path) -> None:
    np.save(tmp_path / "rows.npy", np.eye(4, dtype=np.float32))
    with pytest.raises(ValueError, match=r"expected a sentence-transformers teacher .* student=pretrained takes any"):
        Layers(1)(Precomputed(str(tmp_path / "rows.npy")), [])
