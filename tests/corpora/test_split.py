from __future__ import annotations

import hashlib

import pytest

from projhead.corpora.split import in_test, select
from projhead.protocols import Document

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
