from __future__ import annotations

import logging
from pathlib import Path

import pytest

from projhead.corpora.files import TextFiles
from projhead.corpora.split import documents_of
from projhead.data import Document

LINES = [b"one", b"", b"caf\xe9", b"two", b" \t ", b"\xe2\x82", b"three"]


@pytest.fixture
def path(tmp_path: Path) -> str:
    (tmp_path / "docs.txt").write_bytes(b"\n".join(LINES))
    return str(tmp_path / "docs.txt")


def test_bad_texts_are_all_counted_and_refused(path: str) -> None:
    with pytest.raises(ValueError, match=r"got 2 blank and 2 non-UTF-8 texts \(the first in row 1, .*skip_bad=true"):
        list(TextFiles(path).documents("all"))


def test_bad_texts_are_left_out_when_asked_and_the_others_keep_their_numbers(
    path: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        found = list(TextFiles(path, skip_bad=True).documents("all"))
    assert found == [Document("0", "one"), Document("3", "two"), Document("6", "three")]
    assert caplog.messages == [f"{path}: left out 2 blank and 2 non-UTF-8 texts"]


def test_nothing_good_is_nothing() -> None:
    rows = [{"text": None}, {"text": "\n"}]
    with pytest.raises(ValueError, match="here: expected texts, got none"):
        list(documents_of(iter(rows), "text", None, skip_bad=True, source="here"))
