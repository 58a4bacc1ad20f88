from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Dense, Normalize
from torch import nn

from projhead.encoders.minilm import MiniLM
from projhead.heads.residual_mlp import ResidualMLP
from projhead.persistence.identity import EncoderIdentity
from projhead.reducers.base import Reducer
from projhead.reducers.pca import PCA
from projhead.students.assemble import assemble, dense_modules
from projhead.vectors import Vectors

TEXTS = [
    "a cat",
    "a small dog sleeps on the mat",
    "rates rose in March",
    "",
    "the eigenvalues of a symmetric matrix " * 5,
]
FITTED = [
    f"{subject} {verb} {thing}"
    for subject in ("a cat", "the bank", "rain")
    for verb in ("eats", "lends", "stops")
    for thing in ("money", "fish", "the train", "at noon")
]


@pytest.fixture(scope="module")
def vectors(minilm: MiniLM) -> Vectors:
    return minilm.encode(FITTED)


def residual(vectors: Vectors) -> PCA:
    """A reducer with a residual MLP whose network says something."""
    torch.manual_seed(0)
    reducer = PCA(16, center=False).fit(vectors)
    head = ResidualMLP(384, 16, hidden_features=40)
    head.initialize(reducer.head_.projection.weight)
    nn.init.normal_(head.output.weight, std=0.3)
    reducer.head_ = head.requires_grad_(False)
    return reducer


@pytest.mark.parametrize("fit", [lambda x: PCA(16).fit(x), lambda x: PCA(16, whiten=True).fit(x), residual])
def test_the_student_is_the_teacher_then_the_reducer(fit: object, minilm: MiniLM, vectors: Vectors) -> None:
    reducer: Reducer = fit(vectors)  # type: ignore[operator]
    student = assemble(minilm, reducer)
    np.testing.assert_allclose(student.encode(TEXTS), reducer.transform(minilm.encode(TEXTS)), atol=1e-5)


def test_it_is_made_of_the_teachers_own_modules_and_stock_ones(minilm: MiniLM, vectors: Vectors) -> None:
    student = assemble(minilm.model, PCA(16).fit(vectors))
    assert [module is teachers for module, teachers in zip(student, minilm.model, strict=False)] == [True] * 3
    assert [type(module) for module in list(student)[3:]] == [Dense, Normalize]


def test_a_teacher_that_does_not_normalize_gets_its_rows_normalized(minilm: MiniLM, vectors: Vectors) -> None:
    reducer = PCA(16).fit(vectors)  # centered: the length of what goes in matters
    bare = SentenceTransformer(modules=list(minilm.model)[:2], device="cpu")
    np.testing.assert_allclose(
        assemble(bare, reducer).encode(TEXTS), reducer.transform(minilm.encode(TEXTS)), atol=1e-5
    )


def test_the_default_prompt_stays(minilm: MiniLM, vectors: Vectors) -> None:
    prompted = SentenceTransformer(
        modules=list(minilm.model), device="cpu", prompts={"ask": "question: "}, default_prompt_name="ask"
    )
    reducer = PCA(16).fit(vectors)
    expected = reducer.transform(minilm.encode([f"question: {text}" for text in TEXTS]))
    np.testing.assert_allclose(assemble(prompted, reducer).encode(TEXTS), expected, atol=1e-5)


def test_another_teachers_reducer_is_refused(minilm: MiniLM, vectors: Vectors) -> None:
    with pytest.raises(ValueError, match="width 100, the model gives width 384"):
        assemble(minilm.model, PCA(16).fit(vectors[:, :100]))
    reducer = PCA(16).fit(vectors)
    reducer.teacher_ = EncoderIdentity("mpnet", "feed", 384)
    with pytest.raises(ValueError, match=r"expected vectors of mpnet \(fingerprint feed"):
        assemble(minilm, reducer)
    with pytest.raises(ValueError, match="fitted reducer"):
        assemble(minilm.model, PCA(16))


def test_models_that_would_give_other_rows_are_refused(minilm: MiniLM, vectors: Vectors) -> None:
    reducer = PCA(16).fit(vectors)
    with pytest.raises(ValueError, match=r"float32, got torch\.float16"):
        assemble(copy.deepcopy(minilm.model).half(), reducer)
    cut = SentenceTransformer(modules=list(minilm.model), device="cpu", truncate_dim=100)
    with pytest.raises(ValueError, match="truncate_dim=100"):
        assemble(cut, reducer)


def test_a_head_that_dense_modules_cannot_hold_is_refused() -> None:
    class Odd(nn.Module):
        def to_sequential(self) -> nn.Sequential:
            return nn.Sequential(nn.Linear(4, 4), nn.GELU(), nn.LayerNorm(4), nn.Linear(4, 2))

    with pytest.raises(ValueError, match="at most one activation"):
        dense_modules(Odd())
