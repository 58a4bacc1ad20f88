from __future__ import annotations

import numpy as np
import pytest
import torch

from projhead.losses.info_nce import InfoNCE
from projhead.losses.neighbor_kl import NeighborKL
from projhead.reducers.learned import LearnedReducer
from projhead.training.head_module import HeadModule
from projhead.training.samplers import Drawn, RandomBatches, Whole, part_of
from projhead.vectors import Vectors


def _batches(
    rows: Vectors, queries: Vectors | None, steps: range, n_documents: int = 40, document_pool: int = 0
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
        document_pool=document_pool,
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
    batches = _batches(rows, rows[1:90:3], range(300), document_pool=120)
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
        sums.append(torch.exp(batch.queries @ batch.documents.T / 0.2) @ weights / 120)
        exact.append(torch.exp(batch.queries @ documents.T / 0.2).mean(1))
    # What a softmax divides by is that of all documents, on the average over steps.
    assert torch.cat(sums).mean().item() == pytest.approx(torch.cat(exact).mean().item(), rel=0.01)


def test_judged_documents_are_kept_of_a_pool(rows: Vectors) -> None:
    for batch in _batches(rows, rows[:30], range(10), document_pool=120):
        asked, documents = _numbers(batch.queries, rows), _numbers(batch.documents, rows)
        found = {(int(asked[query]), int(documents[document])) for query, document in batch.relevant.tolist()}
        assert found == {(int(query), 3 * int(query)) for query in asked if query % 4 == 0}


def test_documents_that_count_most_beside_queries_and_anchors_are_kept_of_a_pool(rows: Vectors) -> None:
    batches = _batches(rows, rows[1:90:3], range(10), n_documents=40, document_pool=200)  # all of them
    batches.pairs = batches.pairs[:0]
    for batch in batches:
        numbers = _numbers(batch.documents, rows) // 3
        anchors = set(numbers[batch.anchors])
        mass = np.zeros(200)
        for row, own in [(row, None) for row in batch.queries.numpy()] + [(rows[3 * one], one) for one in anchors]:
            counts = np.exp(rows[::3] @ row / 0.05)
            if own is not None:
                counts[own] = 0
            mass += counts / counts.sum()
        others = [one for one in np.argsort(-mass) if one not in anchors]
        assert set(numbers[batch.log_weights == 0]) == anchors | set(others[:11])


def test_a_pool_divided_among_processes_weighs_the_same(rows: Vectors) -> None:
    whole = _batches(rows, rows[:30], range(1), document_pool=120)[0]
    for number in range(2):
        assert torch.equal(part_of(whole, number, 2).log_weights, whole.log_weights)


@pytest.mark.parametrize(("loss", "gives"), [(NeighborKL, True), (InfoNCE, False)])
def test_losses_that_take_no_weights_get_random_documents(
    loss: type[torch.nn.Module], gives: bool, rows: Vectors, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    compared = HeadModule._compared
    monkeypatch.setattr(HeadModule, "_compared", lambda self, batch: seen.append(batch) or compared(self, batch))
    LearnedReducer(8, loss=loss, n_documents=40, document_pool=200, max_steps=2, blend=1).fit(rows, queries=rows[:99])
    assert {batch.log_weights is not None for batch in seen} == {gives}
    assert all(len(batch.anchors) == 40 <= len(batch.documents) <= 41 for batch in seen)  # all of them are compared
