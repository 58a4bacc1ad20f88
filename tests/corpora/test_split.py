from __future__ import annotations

import hashlib

import numpy as np
import pytest

from projhead.corpora.split import in_test, sample, select
from projhead.data import Document

DOCUMENTS = [Document(str(i), f"text {i // 2}") for i in range(4000)]  # every text twice


def test_train_and_test_share_no_text_and_make_up_all() -> None:
    train, test = (list(select(DOCUMENTS, split, 0.2)) for split in ("train", "test"))
    assert not {document.text for document in train} & {document.text for document in test}
    assert sorted(train + test) == sorted(DOCUMENTS) == sorted(select(DOCUMENTS, "all", 0.2))
    assert len(test) == pytest.approx(800, abs=100)


def test_a_text_is_held_out_by_its_digest() -> None:
    for text in ("a", "b", "lone \ud800"):
        share = int(hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:16], 16) / 2**64
        assert in_test(text, share + 1e-6)
        assert not in_test(text, share - 1e-6)


def test_an_unknown_split_is_refused() -> None:
    with pytest.raises(ValueError, match="expected one of train, test, all, got 'validation'"):
        list(select(DOCUMENTS, "validation", 0.1))


def test_a_sample_is_the_same_whatever_the_order_and_does_not_follow_the_split() -> None:
    singles = DOCUMENTS[::2]
    chosen = list(sample(singles, 500))
    assert len(chosen) == 500
    assert chosen == sorted(chosen, key=lambda document: int(document.id))
    assert sorted(sample(singles[::-1], 500)) == sorted(chosen)
    assert np.mean([int(document.id) for document in chosen]) == pytest.approx(2000, abs=200)
    assert len(list(select(chosen, "test", 0.2))) == pytest.approx(100, abs=40)
    assert list(sample(singles, 9000)) == singles
