from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from projhead.artifact import Teacher
from projhead.encoders.minilm import MiniLM
from projhead.heads.residual_mlp import ResidualMLP
from projhead.reducers.pca import PCA
from projhead.student import build_student, dense_modules
from projhead.vectors import Vectors, unit_rows

TEXTS = ["a cat", "How do I sort a list of numbers in place?", "The heart pumps blood through the body. " * 6, ""]


@pytest.fixture(scope="module")
def reducer() -> PCA:
    generator = np.random.default_rng(0)
    fitted = PCA(16).fit(unit_rows(generator.normal(size=(64, 384)) + 0.5))
    head = ResidualMLP(384, 16, hidden_features=24)
    head.initialise(fitted.head_.projection.weight)
    nn.init.normal_(head.output.weight)
    fitted.head_ = head.requires_grad_(False)
    return fitted


def test_the_student_is_teacher_then_reducer(minilm: MiniLM, reducer: PCA) -> None:
    expected = reducer.transform(minilm.encode(TEXTS))
    student = build_student(minilm.model, reducer)
    found: Vectors = student.encode(TEXTS, show_progress_bar=False)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert student.get_embedding_dimension() == 16


def test_dense_modules_are_the_head_exactly(reducer: PCA) -> None:
    rows = torch.randn(20, 384)
    features = {"sentence_embedding": rows}
    for module in dense_modules(reducer.head_):
        features = module(features)
    torch.testing.assert_close(features["sentence_embedding"], reducer.head_(rows), atol=1e-5, rtol=1e-5)


def test_another_teacher_or_width_is_refused(minilm: MiniLM, reducer: PCA, rows: Vectors) -> None:
    with pytest.raises(ValueError, match="takes vectors of width 32"):
        build_student(minilm.model, PCA(4).fit(rows))
    reducer.teacher_ = Teacher("mpnet", "another", 384)
    try:
        with pytest.raises(ValueError, match="fitted to mpnet"):
            build_student(minilm.model, reducer, minilm.revision)
    finally:
        reducer.teacher_ = None
