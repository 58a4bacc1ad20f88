"""Half precision on a CPU: the same code computes on a GPU."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from projhead.encoders.load import load_encoder
from projhead.encoders.reduced import Reduced
from projhead.encoders.sentence_transformer import SentenceTransformerEncoder
from projhead.exporters.export import write_export
from projhead.exporters.sentence_transformers import SentenceTransformersFolder
from projhead.persistence.identity import EncoderIdentity
from projhead.persistence.registry import build, spec_of
from projhead.reducers.pca import PCA
from projhead.students.assemble import assemble
from projhead.students.layers import Layers

Draw = Callable[[int, int, int], list[str]]


@pytest.mark.parametrize(("dtype", "near"), [("bfloat16", 0.05), ("float16", 0.005)])
def test_rows_are_near_those_of_float32_and_the_identity_says_so(
    dtype: str, near: float, teacher: SentenceTransformerEncoder, few_words: Draw
) -> None:
    texts = few_words(20, 1, 12)
    half = SentenceTransformerEncoder(teacher.path, device="cpu", compute_dtype=dtype)
    rows, exact = half.encode(texts), teacher.encode(texts)
    assert rows.dtype == np.float32
    np.testing.assert_allclose(rows, exact, atol=near)
    assert np.abs(rows - exact).max() > near / 500  # it was computed in halves
    assert half.identity.key == f"{teacher.identity.key}-{dtype}"
    assert half.identity == teacher.identity
    assert build(spec_of(half), "encoder").identity.key == half.identity.key


def test_what_the_files_hold_is_computed_in_where_nothing_is_said(
    teacher: SentenceTransformerEncoder, few_words: Draw, tmp_path: Path
) -> None:
    half = SentenceTransformerEncoder(teacher.path, device="cpu", compute_dtype="bfloat16")
    half.model.save_pretrained(str(tmp_path), create_model_card=False)
    kept, whole = (
        SentenceTransformerEncoder(str(tmp_path), device="cpu", compute_dtype=one) for one in (None, "float32")
    )
    texts = few_words(20, 1, 12)
    np.testing.assert_array_equal(kept.encode(texts), half.encode(texts))
    assert np.abs(kept.encode(texts) - whole.encode(texts)).max() > 1e-4
    assert whole.identity.key == f"{kept.identity.key}-float32"


def test_a_head_serves_its_teacher_in_either_precision(
    teacher: SentenceTransformerEncoder, few_words: Draw, tmp_path: Path
) -> None:
    texts = few_words(60, 1, 12)
    half = SentenceTransformerEncoder(teacher.path, device="cpu", compute_dtype="bfloat16")
    reducer = PCA(4).fit(half.encode(texts))
    reducer.teacher_ = half.identity
    exact = Reduced(teacher, reducer)
    np.testing.assert_allclose(Reduced(half, reducer).encode(texts), exact.encode(texts), atol=0.1)
    assert Reduced(half, reducer).identity.key != exact.identity.key
    with pytest.raises(ValueError, match=r"expected vectors of another .* choose that teacher"):
        reducer.teacher_ = EncoderIdentity("another", "0" * 16, half.dimension)
        Reduced(half, reducer)
    reducer.teacher_ = None
    with pytest.raises(ValueError, match=r"expected a model in float32, got torch.bfloat16; load it in float32"):
        assemble(half.model, reducer)
    student = assemble(teacher, reducer)
    options = {"teacher": None, "reducer": "pca"}
    write_export(SentenceTransformersFolder(), student, tmp_path / "out", texts, student.encode(texts), **options)
    loaded = load_encoder(tmp_path / "out", compute_dtype="bfloat16", device="cpu")
    np.testing.assert_allclose(loaded.encode(texts), student.encode(texts), atol=0.1)


def test_layers_of_a_half_teacher_are_trained_in_float32(teacher: SentenceTransformerEncoder) -> None:
    half = SentenceTransformerEncoder(teacher.path, device="cpu", compute_dtype="bfloat16")
    assert {str(weight.dtype) for weight in Layers(2)(half, []).parameters()} == {"torch.float32"}
    assert {str(weight.dtype) for weight in half.model.parameters()} == {"torch.bfloat16"}


def test_an_unknown_precision_is_refused_before_anything_is_loaded() -> None:
    with pytest.raises(ValueError, match="compute_dtype: expected one of float32, float16, bfloat16, got 'int8'"):
        SentenceTransformerEncoder("nowhere", compute_dtype="int8")


def test_records_of_older_versions_call_it_otherwise(teacher: SentenceTransformerEncoder) -> None:
    given = {"path": teacher.path, "device": "cpu", "dtype": "bfloat16", "revision_pin": None}
    made = build({"class": "encoder/SentenceTransformerEncoder", "parameters": given}, "encoder")
    assert (made.compute_dtype, made.revision) == ("bfloat16", None)
