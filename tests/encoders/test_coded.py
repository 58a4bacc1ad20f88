from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from projhead.codecs.binary import Binary
from projhead.codecs.cast import Cast
from projhead.codecs.integer import Integer
from projhead.codecs.pq import ProductQuantizer
from projhead.encoders.coded import Calibration, Coded
from projhead.encoders.one_sided import OneSided
from projhead.persistence.identity import EncoderIdentity
from projhead.protocols import Storing
from projhead.vectors import Vectors


class Numbered(OneSided):
    """An encoder of the row that a text names."""

    name, identity = "numbered", EncoderIdentity("numbered", "r1", 32)

    def __init__(self, rows: Vectors) -> None:
        self.rows, self.dimension = rows, rows.shape[1]

    def encode(self, texts: Sequence[str], *, show_progress: bool = False) -> Vectors:
        return self.rows[[int(text) for text in texts]]


TEXTS = [str(number) for number in range(400)]


def test_queries_stay_float_and_documents_are_what_their_codes_say(rows: Vectors) -> None:
    coded = Coded(Numbered(rows), Integer(4, 1.0))
    np.testing.assert_array_equal(coded.encode(TEXTS), rows[:400])
    expected = Integer(4, 1.0).fit(rows[:400])
    np.testing.assert_array_equal(
        coded.stored(coded.encode_document(TEXTS)), expected.decode(expected.encode(rows[:400]))
    )
    assert (coded.dimension, coded.bytes_per_vector, coded.identity) == (32, 16, Numbered.identity)
    assert isinstance(coded, Storing)
    assert not isinstance(Numbered(rows), Storing)


def test_each_collection_is_fitted_for_itself_or_all_to_the_calibration(rows: Vectors) -> None:
    encoder = Numbered(rows)
    alone = Coded(encoder, Binary())
    first = alone.stored(alone.encode_document(TEXTS[:100]))
    alone.stored(alone.encode_document(TEXTS[100:]))
    np.testing.assert_array_equal(alone.stored(alone.encode_document(TEXTS[:100])), first)
    calibrated = Coded(encoder, Binary(), Calibration("others", [str(number) for number in range(400, 600)]))
    assert (alone.fitted_to, calibrated.fitted_to) == ("", "others")
    expected = Binary().fit(rows[400:])
    for part in (slice(0, 100), slice(100, 400)):
        stored = calibrated.stored(calibrated.encode_document(TEXTS[part]))
        np.testing.assert_array_equal(stored, expected.decode(expected.encode(rows[:400][part])))
    assert (calibrated.stored(calibrated.encode_document(TEXTS[:100])) != first).any()


def test_two_collections_may_share_a_codec(rows: Vectors) -> None:
    codec = Integer(4, 1.0)
    one, other = (Coded(Numbered(part), codec, Calibration("some", TEXTS[:300])) for part in (rows, rows[:, ::-1]))
    first = one.stored(one.encode_document(TEXTS))
    np.testing.assert_allclose(other.stored(other.encode_document(TEXTS)), first[:, ::-1], atol=1e-6)
    np.testing.assert_array_equal(one.stored(one.encode_document(TEXTS)), first)
    assert not hasattr(codec, "state")


def test_large_collections_are_fitted_by_a_sample(rows: Vectors, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("projhead.codecs.base.FIT_ROWS", 50)
    stored = Coded(Numbered(rows), Integer(4, 1.0)).stored(rows[:400])
    whole, sample = Integer(4, 1.0).fit(rows[:400]), np.sort(np.random.default_rng(0).permutation(400)[:50])
    assert (stored != whole.decode(whole.encode(rows[:400]))).any()
    part = Integer(4, 1.0).fit(rows[:400][sample])
    np.testing.assert_array_equal(stored, part.decode(part.encode(rows[:400])))


def test_widths_that_cannot_be_stored_are_refused_before_anything_is_encoded(rows: Vectors) -> None:
    with pytest.raises(ValueError, match="pq_48: expected rows of a width that is a multiple of 48 bytes, got 32"):
        Coded(Numbered(rows), ProductQuantizer(48))


def test_what_learns_nothing_needs_no_calibration(rows: Vectors) -> None:
    coded = Coded(Numbered(rows), Cast(), Calibration("unknown", ["no number"]))
    np.testing.assert_allclose(coded.stored(coded.encode_document(TEXTS)), rows[:400], atol=1e-7)
    assert (coded.codec.name, coded.fitted_to) == ("float32", "")
