"""One rule says whether two encoders are the same, and records of every version are read."""

from __future__ import annotations

from dataclasses import replace

import pytest

from projhead.persistence.identity import EncoderIdentity

ONE = EncoderIdentity("e5", "feed", 384, query_prompt="query: ", document_prompt="passage: ", pooling="mean")


@pytest.mark.parametrize(
    "change", [{"fingerprint": "beef"}, {"dimension": 768}, {"unit": False}], ids=lambda change: next(iter(change))
)
def test_what_decides_vectors_tells_encoders_apart(change: dict[str, object]) -> None:
    assert replace(ONE, **change) != ONE


def test_a_name_a_or_a_compute_dtype_does_not() -> None:
    other = EncoderIdentity("models/e5", "feed", 384, compute_dtype="bfloat16")
    assert other == ONE
    assert len({other, ONE}) == 1
    assert (other.key, ONE.key) == ("feed-bfloat16", "feed")


def test_it_says_what_it_is() -> None:
    assert str(ONE) == "e5 (fingerprint feed, width 384, query prompt 'query: ', document prompt 'passage: ')"
    assert str(EncoderIdentity("dot", "1", 8, unit=False)).endswith("rows of any length)")


def test_a_record_holds_what_is_not_as_usual() -> None:
    assert EncoderIdentity("tiny", "feed", 12).record == {"name": "tiny", "fingerprint": "feed", "dimension": 12}
    assert vars(EncoderIdentity.of_record(ONE.record)) == vars(ONE)


@pytest.mark.parametrize(
    ("revision", "expected"),
    [
        ("feed", ("feed", "")),
        ("feed-float16", ("feed", "float16")),
        ("my-model-2", ("my-model-2", "")),
        ("float16", ("float16", "")),
    ],
)
def test_revisions_of_older_versions(revision: str, expected: tuple[str, str]) -> None:
    found = EncoderIdentity.of_record({"name": "tiny", "revision": revision, "dimension": 12, "spec": None})
    assert (found.fingerprint, found.compute_dtype) == expected


@pytest.mark.parametrize(
    "record",
    [None, {}, {"name": "tiny", "fingerprint": "feed"}, {"name": "tiny", "fingerprint": "feed", "dimension": 10**30},
     {"name": "tiny", "fingerprint": "feed", "dimension": "12"},
     {"name": "tiny", "fingerprint": "feed", "dimension": 12, "unit": 1}],
)  # fmt: skip
def test_other_records_are_refused(record: object) -> None:
    with pytest.raises(ValueError, match="expected an encoder with name, fingerprint and dimension, got"):
        EncoderIdentity.of_record(record)
