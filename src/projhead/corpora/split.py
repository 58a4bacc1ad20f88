"""Turn rows into documents: skip unusable texts, and hold out a test part where no split is given."""

from __future__ import annotations

import hashlib
import heapq
import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from projhead.corpora.readers import Row
from projhead.corpora.row_ids import RowIds
from projhead.data import Document, RowText

SPLITS = ("train", "test", "all")
#: Share of the texts held out, where nothing else is said.
TEST_FRACTION = 0.1


def in_test(text: str, fraction: float = TEST_FRACTION) -> bool:
    """Say whether a text is held out: decided by its own digest, so copies of it are on the same side."""
    return _digest("", text) < fraction * 2**64


def sample(documents: Iterable[Document], size: int) -> Iterator[Document]:
    """Return `size` of the documents in their order, chosen by their own digests; holds no more than that."""
    # Salted: a sample must not follow the split.
    numbered = heapq.nsmallest(size, enumerate(documents), key=lambda pair: _digest("sample", pair[1].text))
    return (document for _, document in sorted(numbered, key=lambda pair: pair[0]))


def _digest(salt: str, text: str) -> int:
    return int.from_bytes(hashlib.sha256((salt + text).encode("utf-8", "replace")).digest()[:8], "big")


def order_of(text: str) -> int:
    """Return a number below 2 ** 64 by which texts sort in arbitrary order; equal texts have equal numbers."""
    return _digest("order", text)


def select(documents: Iterable[Document], split: str, fraction: float) -> Iterator[Document]:
    """Stream the documents of one split.

    Raises
    ------
    ValueError
        If the split is not one of train, test and all.
    """
    if split not in SPLITS:
        raise ValueError(f"split: expected one of {', '.join(SPLITS)}, got {split!r}")
    for document in documents:
        if split == "all" or in_test(document.text, fraction) == (split == "test"):
            yield document


def documents_of(
    rows: Iterator[Row],
    column: str,
    id_column: str | None,
    *,
    skip_bad: bool,
    source: str,
    kept: Sequence[str] = (),
) -> Iterator[Document]:
    """Turn rows into documents.

    Parameters
    ----------
    rows : iterator of dict
        With the columns.
    column : str
        The column of the texts.
    id_column : str or None
        The column of the ids; where None, the number of the row, from 0.
    skip_bad : bool
        Leave out texts that are blank or not UTF-8, rather than refuse them.
    source : str
        Where rows come from, for messages.
    kept : sequence of str
        Other columns that the documents have.

    Raises
    ------
    ValueError
        If texts are bad and not to be left out (all are counted first), something else than text is in the
        column, an id is missing or there twice, or there is no text at all.
    """
    ids = RowIds(source, id_column or "")
    bad: Counter[str] = Counter()
    first = -1
    good = 0
    for number, row in enumerate(rows):
        text = "" if row[column] is None else row[column]
        if not isinstance(text, str):
            raise ValueError(f"{source}, row {number}: expected text in column {column!r}, got {text!r:.80}")
        name = str(number) if id_column is None else ids(row[id_column], number)
        if reason := _problem(text):
            first = number if not bad else first
            bad[reason] += 1
        elif skip_bad or not bad:  # once refused, the rest is only counted
            good += 1
            yield Document(name, RowText(text, source, number), {one: row[one] for one in kept} if kept else {})
    told = " and ".join(f"{count:,} {reason}" for reason, count in sorted(bad.items()))
    if bad and not skip_bad:
        raise ValueError(
            f"{source}: got {told} texts (the first in row {first}, counted from 0); "
            "repair them, name their encoding (corpus.encoding=latin-1), or leave them out with corpus.skip_bad=true"
        )
    if bad:
        logging.getLogger(__name__).warning("%s: left out %s texts", source, told)
    if not good:
        raise ValueError(f"{source}: expected texts, got none")


def _problem(text: str) -> str:
    if not text.strip():
        return "blank"
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return "non-UTF-8"
    return ""
