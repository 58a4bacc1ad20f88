from __future__ import annotations

from copy import copy
from pathlib import Path

import numpy as np
import pytest

from projhead.encoders.minilm import MiniLM
from projhead.encoders.reduced import Reduced
from projhead.persistence.registry import build, spec_of
from projhead.reducers.artifact import Teacher
from projhead.reducers.pca import PCA
from projhead.reducers.truncation import Truncation
from projhead.vectors import Vectors, unit_rows

TEXTS = ["a dog barks", "a cat sleeps", "the market fell", "shares rose", "rain tomorrow", "sunny weather"]


@pytest.fixture
def teacher(minilm: MiniLM) -> Teacher:
    return Teacher(minilm.name, minilm.revision, minilm.dimension)


def test_rows_are_the_teachers_reduced(minilm: MiniLM) -> None:
    vectors = minilm.encode(TEXTS)
    pca = PCA(3).fit(vectors)
    encoder = Reduced(minilm, pca)
    by_hand = unit_rows((vectors - vectors.mean(0)) @ pca.components_.T)
    np.testing.assert_allclose(encoder.encode(TEXTS), by_hand, atol=1e-5)
    assert (encoder.name, encoder.dimension) == ("all-MiniLM-L6-v2 + pca", 3)
    assert encoder.encode([]).shape == (0, 3)


def test_a_record_builds_it_again_from_its_artifact(
    minilm: MiniLM, teacher: Teacher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    PCA(3).fit(minilm.encode(TEXTS)).save(tmp_path / "artifact", teacher=teacher)
    monkeypatch.chdir(tmp_path)
    encoder = Reduced(minilm, "artifact")
    monkeypatch.chdir("/")
    again = build(spec_of(encoder), "encoder")
    assert again.revision == encoder.revision
    np.testing.assert_array_equal(again.encode(TEXTS), encoder.encode(TEXTS))


def test_a_revision_is_of_the_weights(minilm: MiniLM) -> None:
    vectors = minilm.encode(TEXTS)
    revisions = {Reduced(minilm, fitted).revision for fitted in (PCA(3).fit(vectors), PCA(3).fit(vectors[:5]))}
    assert len(revisions | {minilm.revision}) == 3
    assert Reduced(minilm, PCA(3).fit(vectors)).revision in revisions


def test_a_revision_is_of_the_teacher(minilm: MiniLM) -> None:
    pca = PCA(3).fit(minilm.encode(TEXTS))
    before = Reduced(minilm, pca).revision
    other = copy(minilm)
    other.revision = "0" * 16
    assert Reduced(other, pca).revision != before


def test_another_teacher_or_width_is_refused(minilm: MiniLM, teacher: Teacher, rows: Vectors) -> None:
    reducer = Truncation(3).fit(minilm.encode(TEXTS))
    reducer.teacher_ = Teacher("other", "0" * 16, 384)
    with pytest.raises(ValueError, match=r"fitted to other \(revision 0+\), got all-MiniLM-L6-v2 .*encoder="):
        Reduced(minilm, reducer)
    with pytest.raises(ValueError, match="takes vectors of width 32, all-MiniLM-L6-v2 gives width 384"):
        Reduced(minilm, Truncation(3).fit(rows))
