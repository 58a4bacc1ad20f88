from __future__ import annotations

from copy import copy
from pathlib import Path

import numpy as np
import pytest

from projhead.encoders.minilm import MiniLM
from projhead.encoders.reduced import Reduced
from projhead.persistence.identity import EncoderIdentity
from projhead.persistence.registry import build, spec_of
from projhead.reducers.pca import PCA
from projhead.reducers.truncation import Truncation
from projhead.vectors import Vectors, unit_rows

TEXTS = ["a dog barks", "a cat sleeps", "the market fell", "shares rose", "rain tomorrow", "sunny weather"]


@pytest.fixture
def teacher(minilm: MiniLM) -> EncoderIdentity:
    return minilm.identity


def test_rows_are_the_teachers_reduced(minilm: MiniLM) -> None:
    vectors = minilm.encode(TEXTS)
    pca = PCA(3).fit(vectors)
    encoder = Reduced(minilm, pca)
    by_hand = unit_rows((vectors - vectors.mean(0)) @ pca.components_.T)
    np.testing.assert_allclose(encoder.encode(TEXTS), by_hand, atol=1e-5)
    assert (encoder.name, encoder.dimension) == ("all-MiniLM-L6-v2 + pca", 3)
    assert encoder.encode([]).shape == (0, 3)


def test_a_record_builds_it_again_from_its_artifact(
    minilm: MiniLM, teacher: EncoderIdentity, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    PCA(3).fit(minilm.encode(TEXTS)).save(tmp_path / "artifact", teacher=teacher)
    monkeypatch.chdir(tmp_path)
    encoder = Reduced(minilm, "artifact")
    monkeypatch.chdir("/")
    again = build(spec_of(encoder), "encoder")
    assert again.identity == encoder.identity
    np.testing.assert_array_equal(again.encode(TEXTS), encoder.encode(TEXTS))


def test_an_identity_is_of_the_weights(minilm: MiniLM) -> None:
    vectors = minilm.encode(TEXTS)
    found = {Reduced(minilm, fitted).identity for fitted in (PCA(3).fit(vectors), PCA(3).fit(vectors[:5]))}
    assert len(found | {minilm.identity}) == 3
    assert Reduced(minilm, PCA(3).fit(vectors)).identity in found


def test_an_identity_is_of_the_teacher(minilm: MiniLM) -> None:
    pca = PCA(3).fit(minilm.encode(TEXTS))
    before = Reduced(minilm, pca).identity
    other = copy(minilm)
    other._fingerprint = "0" * 16
    assert Reduced(other, pca).identity != before


def test_another_teacher_or_width_is_refused(minilm: MiniLM, teacher: EncoderIdentity, rows: Vectors) -> None:
    reducer = Truncation(3).fit(minilm.encode(TEXTS))
    reducer.teacher_ = EncoderIdentity("other", "0" * 16, 384)
    with pytest.raises(ValueError, match=r"vectors of other \(fingerprint 0+, .*those of all-MiniLM-L6-v2 .*encoder="):
        Reduced(minilm, reducer)
    with pytest.raises(ValueError, match=r"expected vectors of width 32, got those of all-MiniLM-L6-v2 .*width 384"):
        Reduced(minilm, Truncation(3).fit(rows))
