"""Codes in inverted lists: the codec's own, its scores, and only what a query visits."""

from __future__ import annotations

from pathlib import Path

import faiss
import numpy as np
import pytest
from tests.indexes.rows import Shards

from projhead import LearnedReducer
from projhead.codecs.base import BaseCodec
from projhead.codecs.binary import Binary
from projhead.codecs.pq import ProductQuantizer
from projhead.codecs.residual import ResidualQuantizer
from projhead.indexes.base import load_index
from projhead.indexes.exact import ExactIndex
from projhead.indexes.faiss import inmost
from projhead.indexes.ivf import IvfIndex
from projhead.vectors import Vectors, exact_top_k, unit_rows

CODECS = {
    "pq": ProductQuantizer(8),
    "opq": ProductQuantizer(8, rotate=True),
    "rq": ResidualQuantizer(4),
    "prq": ResidualQuantizer(4, n_splits=2),
}


class Coded(Shards):
    """Rows in blocks, there as codes."""

    def __init__(self, rows: Vectors, codec: BaseCodec) -> None:
        super().__init__(codec.decode(codec.encode(rows)))
        self.codec, self.written = codec, codec.encode(rows)

    def codes(self):  # type: ignore[no-untyped-def]
        return (self.written[start : start + 70] for start in range(0, len(self), 70))


def listed(index: IvfIndex, width: int) -> np.ndarray:
    """The codes in all lists, in the order of their places."""
    lists = inmost(index.index).invlists
    parts = []
    for number in range(lists.nlist):
        n = lists.list_size(number)
        places = faiss.rev_swig_ptr(lists.get_ids(number), n)
        codes = faiss.rev_swig_ptr(lists.get_codes(number), n * width).reshape(n, width)
        parts += list(zip(places.tolist(), codes.copy(), strict=True))
    return np.stack([codes for _, codes in sorted(parts, key=lambda pair: pair[0])])


@pytest.mark.parametrize("name", CODECS)
def test_with_all_lists_visited_answers_are_those_of_the_same_codes_one_by_one(name: str, rows: Vectors) -> None:
    index = IvfIndex(CODECS[name], lists=8, nprobe=8).build(rows[:500])
    scores, ids = index.search(rows[500:], 10)
    expected = ExactIndex(index.stored).build(rows[:500]).search(rows[500:], 10)
    np.testing.assert_allclose(scores, expected[0], atol=2e-6)
    assert (ids == expected[1]).mean() > 0.99  # codes that are equal may change places


@pytest.mark.parametrize("name", CODECS)
def test_codes_are_those_of_the_codec_and_of_a_coded_store_as_they_are(name: str, rows: Vectors) -> None:
    codec = CODECS[name].fit(rows)
    built = IvfIndex(codec, lists=8).build(rows)
    assert (listed(built, codec.bytes_per_vector(32)) == codec.encode(rows)).mean() > 0.999  # beams hold ties
    # What a code says, made unit length, may have another code: so it is not coded again.
    stored = IvfIndex(lists=8).build(Coded(rows, codec))
    np.testing.assert_array_equal(listed(stored, codec.bytes_per_vector(32)), codec.encode(rows))


def test_a_query_sees_the_lists_nearest_to_it_alone(rows: Vectors) -> None:
    index = IvfIndex(ProductQuantizer(8), lists=20, nprobe=3).build(rows[:500])
    lists = inmost(index.index)
    decoded = index.stored.decode(index.stored.encode(rows[:500]))
    centroids = faiss.rev_swig_ptr(faiss.downcast_index(lists.quantizer).get_xb(), 20 * 32).reshape(20, 32)
    list_of = (decoded @ centroids.T).argmax(1)
    _, ids = index.search(rows[500:520], 400)
    for query, found in zip(rows[500:520], ids, strict=True):
        visited = np.argsort(-centroids @ query)[:3]
        assert set(found[found >= 0]) == set(np.flatnonzero(np.isin(list_of, visited)))
        assert (found == -1).any()  # there are no 400 in three lists


def test_a_head_trained_with_its_codec_is_searched_by_its_own_tables(rows: Vectors, tmp_path: Path) -> None:
    head = LearnedReducer(32, codec=ProductQuantizer(8), max_steps=5).fit(rows)
    reduced = head.transform(rows)
    index = IvfIndex(head.codec_, lists=8, nprobe=8).build(reduced[:500])
    index.save(tmp_path / "index")
    again = load_index(tmp_path / "index")
    _, ids = again.search(reduced[500:], 5)
    _, expected = exact_top_k(reduced[500:], head.codec_.decode(head.codec_.encode(reduced[:500])), 5)
    assert (ids == expected).mean() > 0.99
    again.add(reduced[500:])
    assert (again.search(head.codec_.decode(head.codec_.encode(reduced[500:])), 1)[1] >= 500).mean() > 0.9


def test_lists_and_visits_grow_with_the_root_of_the_rows(rows: Vectors) -> None:
    lists = inmost(IvfIndex(ProductQuantizer(8)).build(rows).index)
    assert (lists.nlist, lists.nprobe) == (24, 4)


def test_what_cannot_be_is_refused(rows: Vectors, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="binary: FAISS has no such codes"):
        IvfIndex(Binary()).build(rows)
    with pytest.raises(ValueError, match="lists: expected at most one for each of 600 rows, got 601"):
        IvfIndex(ProductQuantizer(8), lists=601).build(rows)
    index = IvfIndex(ProductQuantizer(8), lists=8).build(rows)
    with pytest.raises(ValueError, match="cannot look among some rows only: choose index=exact"):
        index.search(rows[:1], 3, filter_ids=[1, 2])
    index.stored = ProductQuantizer(4).fit(rows)
    index.save(tmp_path / "index")
    with pytest.raises(ValueError, match="expected lists of codes of pq_4, got others"):
        load_index(tmp_path / "index")


def test_rows_without_unit_length_are_met_as_unit_rows(rows: Vectors) -> None:
    codec = ProductQuantizer(8).fit(rows)
    one, other = (IvfIndex(codec, lists=4, nprobe=4).build(scale * rows) for scale in (1, 7))
    np.testing.assert_array_equal(one.search(rows[:5], 3)[1], other.search(unit_rows(rows[:5]), 3)[1])
