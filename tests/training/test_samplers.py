from __future__ import annotations

import numpy as np
import pytest
import torch

from projhead.reducers.learned import LearnedReducer
from projhead.training.samplers import Drawn, RandomBatches, Whole, part_of
from projhead.vectors import Vectors


def _batches(
    rows: Vectors, queries: Vectors | None, steps: range, n_documents: int = 40, neighbor_pool: int = 0
) -> RandomBatches:
    asked = [] if queries is None else [Drawn(queries, np.arange(0, len(queries), 2))]
    pairs = np.array([[i, 3 * i] for i in range(0, 30, 4)])
    return RandomBatches(
        Drawn(rows, np.arange(0, len(rows), 3)),
        asked,
        pairs,
        n_queries=10,
        n_anchors=9,
        n_documents=n_documents,
        neighbor_pool=neighbor_pool,
        steps=steps,
        seed=3,
    )


def _numbers(found: torch.Tensor, rows: Vectors) -> np.ndarray:
    numbers = np.asarray((found.numpy() @ rows.T).argmax(1))
    np.testing.assert_allclose(found, rows[numbers], atol=1e-6)
    return numbers


def test_a_step_is_the_same_whichever_batches_it_is_asked_of(rows: Vectors) -> None:
    whole, later = _batches(rows, None, range(0, 20)), _batches(rows, None, range(12, 20))
    torch.testing.assert_close(whole[15].documents, later[3].documents)
    assert not torch.equal(whole[15].documents, whole[16].documents)


def test_rows_are_drawn_without_repeating_from_those_that_may_be_and_in_the_end_all_of_them(rows: Vectors) -> None:
    drawn = [_numbers(batch.documents, rows) for batch in _batches(rows, None, range(60))]
    assert all(len(set(numbers)) == len(numbers) == 40 for numbers in drawn)
    assert set(np.concatenate(drawn)) == set(range(0, 600, 3))
    asked = [_numbers(batch.queries, rows[:30]) for batch in _batches(rows, rows[:30], range(60))]
    assert set(np.concatenate(asked)) == set(range(0, 30, 2))


def test_anchors_are_a_random_choice_of_the_documents(rows: Vectors) -> None:
    batches = _batches(rows, None, range(200))
    assert all(len(set(batch.anchors.tolist())) == 9 for batch in batches)
    assert abs(np.mean([batch.anchors.numpy().mean() for batch in batches]) - 19.5) < 1


def test_few_rows_are_all_in_every_step(rows: Vectors) -> None:
    batch = _batches(rows, None, range(1), n_documents=2048)[0]
    assert _numbers(batch.documents, rows).tolist() == list(range(0, 600, 3))


def test_judged_documents_come_with_their_query(rows: Vectors) -> None:
    batch = _batches(rows, rows[:30], range(1))[0]
    asked, documents = _numbers(batch.queries, rows[:30]), _numbers(batch.documents, rows)
    found = {(int(asked[query]), int(documents[document])) for query, document in batch.relevant.tolist()}
    assert found == {(int(query), 3 * int(query)) for query in asked if query % 4 == 0}
    assert found


def test_queries_that_are_few_beside_the_documents_count_little(rows: Vectors) -> None:
    few, none = (
        LearnedReducer(8, max_steps=20, purpose="index", blend=1).fit(rows, queries=queries)
        for queries in (rows[:2], None)
    )
    many = LearnedReducer(8, max_steps=20, blend=1).fit(rows, queries=rows)
    near, far = (np.abs(few.transform(rows) - other.transform(rows)).mean() for other in (none, many))
    assert near < far


def test_what_every_step_has_is_compared_once(rows: Vectors) -> None:
    documents = Drawn(rows, np.arange(0, len(rows), 3))
    assert Whole.of(documents, 199) is None
    plain = _batches(rows, None, range(4), n_documents=200)
    known = _batches(rows, None, range(4), n_documents=200)
    known.whole = Whole.of(documents, 200)
    for one, other in zip(plain, known, strict=True):
        assert one.similarities is None
        assert torch.equal(one.anchors, other.anchors)
        torch.testing.assert_close(one.documents, other.documents)
        torch.testing.assert_close(other.similarities, one.documents[one.anchors] @ one.documents.T)
        assert part_of(other, 1, 2).similarities.tolist() == other.similarities[1::2].tolist()


def test_a_pool_gives_near_documents_and_others_stand_for_the_rest(rows: Vectors) -> None:
    batches = _batches(rows, rows[1:90:3], range(300), neighbor_pool=120)
    documents = torch.from_numpy(rows[::3])
    batches.pairs = batches.pairs[:0]  # whose documents come uncalled
    sums, exact = [], []
    for batch in batches:
        weights = batch.log_weights.exp()
        assert (len(weights), int((weights == 1).sum())) == (40, 20)
        assert float(weights.sum()) == pytest.approx(120)
        assert (weights[batch.anchors] == 1).all()
        assert len(set(_numbers(batch.documents, rows))) == 40
        assert len(set(_numbers(batch.documents[batch.anchors], rows))) == 9
        sums.append(torch.exp(batch.queries @ batch.documents.T / 0.1) @ weights / 120)
        exact.append(torch.exp(batch.queries @ documents.T / 0.1).mean(1))
    # What a softmax divides by is that of all documents, on the average over steps.
    assert torch.cat(sums).mean().item() == pytest.approx(torch.cat(exact).mean().item(), rel=0.01)


def test_judged_documents_are_kept_of_a_pool(rows: Vectors) -> None:
    for batch in _batches(rows, rows[:30], range(10), neighbor_pool=120):
        asked, documents = _numbers(batch.queries, rows), _numbers(batch.documents, rows)
        found = {(int(asked[query]), int(documents[document])) for query, document in batch.relevant.tolist()}
        assert found == {(int(query), 3 * int(query)) for query in asked if query % 4 == 0}


def test_documents_that_are_near_to_queries_are_kept_of_a_pool(rows: Vectors) -> None:
    for batch in _batches(rows, rows[:30], range(10), n_documents=100, neighbor_pool=200):  # all of them
        near = batch.queries @ torch.from_numpy(rows[::3]).T
        here = torch.from_numpy(_numbers(batch.documents, rows) // 3)
        best = near.argmax(1)
        assert torch.isin(best, here[batch.log_weights == 0]).all()


def test_a_pool_divided_among_processes_weighs_the_same(rows: Vectors) -> None:
    whole = _batches(rows, rows[:30], range(1), neighbor_pool=120)[0]
    for number in range(2):
        assert torch.equal(part_of(whole, number, 2).log_weights, whole.log_weights)
