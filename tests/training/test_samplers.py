from __future__ import annotations

import numpy as np
import torch

from projhead.reducers.learned import LearnedReducer
from projhead.training.data import mine_neighbors
from projhead.training.samplers import Anchors, NeighborBatches
from projhead.vectors import Vectors, exact_top_k


def _anchors(rows: Vectors, documents: Vectors) -> Anchors:
    return Anchors(rows, np.arange(len(rows)), mine_neighbors(rows, documents, 6))


def _batches(rows: Vectors, queries: Vectors | None, steps: range) -> NeighborBatches:
    asked = [] if queries is None else [_anchors(queries, rows)]
    pairs = np.array([[i, 3 * i] for i in range(0, 30, 2)])
    return NeighborBatches(
        _anchors(rows, rows),
        asked,
        pairs,
        n_queries=10,
        n_anchors=9,
        n_documents=40,
        near=1,
        group=4,
        steps=steps,
        seed=3,
    )


def test_mined_neighbors_are_the_nearest_documents(rows: Vectors) -> None:
    np.testing.assert_array_equal(mine_neighbors(rows[:50], rows, 6), exact_top_k(rows[:50], rows, 6)[1])


def test_a_step_is_the_same_whichever_batches_it_is_asked_of(rows: Vectors) -> None:
    whole, later = _batches(rows, None, range(0, 20)), _batches(rows, None, range(12, 20))
    torch.testing.assert_close(whole[15].documents, later[3].documents)
    assert not torch.equal(whole[15].documents, whole[16].documents)


def test_batches_hold_more_near_neighbors_than_chance(rows: Vectors) -> None:
    batch = _batches(rows, None, range(1))[0]
    similarity = batch.documents @ batch.documents.T
    similarity.fill_diagonal_(-1)
    chance = rows @ rows.T
    np.fill_diagonal(chance, -1)
    picked = np.random.default_rng(0).permutation(len(rows))[: len(similarity)]
    assert similarity.amax(1).mean() > chance[np.ix_(picked, picked)].max(1).mean()


def test_each_query_brings_a_document_near_to_it_and_groups_of_documents_fill_up(rows: Vectors) -> None:
    queries = rows[:30]
    batch = _batches(rows[30:], queries, range(1))[0]
    assert 1 <= len(batch.queries) <= 10
    sixth = exact_top_k(batch.queries.numpy(), rows[30:], 6)[0][:, -1]
    best = (batch.queries @ batch.documents.T).amax(1).numpy()
    assert (best >= sixth - 1e-5).all()
    assert 20 <= len(batch.documents) <= 40


def test_anchors_are_documents_of_groups_and_meet_their_neighbors(rows: Vectors) -> None:
    batch = _batches(rows, rows[:30], range(1))[0]
    anchors = batch.anchors.numpy()
    assert len(set(anchors)) == len(anchors) == 9
    similarity = (batch.documents[batch.anchors] @ batch.documents.T).numpy()
    similarity[np.arange(len(anchors)), anchors] = -1
    sixth = exact_top_k(batch.documents[batch.anchors].numpy(), rows, 6)[0][:, -1]
    # A document meets the one that it was drawn beside, or that was drawn beside it.
    assert (similarity.max(1) >= sixth - 1e-5).mean() >= 0.5


def test_judged_documents_come_with_their_query(rows: Vectors) -> None:
    batch = _batches(rows, rows[:30], range(1))[0]
    even = [i for i in range(len(batch.queries)) if np.abs(rows[:30:2] - batch.queries[i].numpy()).sum(1).min() < 1e-5]
    assert batch.relevant[:, 0].tolist() == even
    for query, document in batch.relevant.tolist():
        number = np.abs(rows[:30] - batch.queries[query].numpy()).sum(1).argmin()
        np.testing.assert_allclose(batch.documents[document], rows[3 * number], atol=1e-6)


def test_queries_that_are_few_beside_the_documents_count_little(rows: Vectors) -> None:
    few, none = (LearnedReducer(8, max_steps=20).fit(rows, queries=queries) for queries in (rows[:2], None))
    many = LearnedReducer(8, max_steps=20).fit(rows, queries=rows)
    near, far = (np.abs(few.transform(rows) - other.transform(rows)).mean() for other in (none, many))
    assert near < far
