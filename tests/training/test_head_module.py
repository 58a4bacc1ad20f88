from __future__ import annotations

import pytest
import torch

from projhead.codecs.pq import FakeQuantizedGroups
from projhead.heads.linear import Linear
from projhead.losses.neighbor_kl import NeighborKL
from projhead.training.head_module import HeadModule
from projhead.training.samplers import Batch


def test_tables_are_held_to_queries_as_to_documents(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = torch.Generator().manual_seed(0)
    queries, documents = (torch.nn.functional.normalize(torch.randn(n, 8, generator=generator)) for n in (3, 5))
    head = Linear(8, 8)
    head.initialize(torch.eye(8))
    fake = FakeQuantizedGroups(torch.randn(2, 256, 4, generator=generator))
    module = HeadModule(
        head,
        NeighborKL(student_temperature=0.05),
        torch.optim.SGD,
        codec=fake,
        distortion_weight=2.0,
        query_weight=1.0,
        document_weight=0.5,
    )
    logged = {}
    monkeypatch.setattr(module, "log", lambda name, value, **_: logged.update({name: value.item()}))
    batch = Batch(queries, documents, torch.arange(2), torch.empty(0, 2, dtype=torch.int64))
    total = module.training_step(batch, 0).item()

    rows = torch.cat([queries, documents])
    away = (rows - fake(rows)).square().sum(1)
    assert logged["train/distortion"] == pytest.approx(away.mean().item(), rel=1e-5)
    stored = torch.nn.functional.normalize(fake(documents))
    self_mask, nothing, loss = torch.eye(2, 5, dtype=torch.bool), torch.zeros(3, 5, dtype=torch.bool), NeighborKL()
    expected = loss(queries @ stored.T, queries @ documents.T, nothing) + 2 * away.mean()
    expected = expected + 0.5 * loss(documents[:2] @ stored.T, documents[:2] @ documents.T, self_mask)
    assert total == pytest.approx(expected.item(), rel=1e-5)  # and what is compared with documents stays float
    parts = [module.loss_of_part(batch, number, 2)[0].item() for number in range(2)]
    assert sum(parts) / 2 == pytest.approx(total, rel=1e-5)


@pytest.mark.parametrize("power", [0.5, 1.0])
def test_each_width_counts_by_a_power_of_what_it_is_at_the_start(power: float, monkeypatch: pytest.MonkeyPatch) -> None:
    generator = torch.Generator().manual_seed(0)
    rows = torch.nn.functional.normalize(torch.randn(6, 8, generator=generator))
    head, loss = Linear(8, 8), NeighborKL(student_temperature=0.05)
    head.initialize(torch.eye(8))
    module = HeadModule(
        head, loss, torch.optim.SGD, nested=[2, 4], nested_power=power, query_weight=0.0, document_weight=1.0
    )
    monkeypatch.setattr(module, "log", lambda *_, **__: None)
    total = module.training_step(Batch(rows[:0], rows, torch.arange(6), torch.empty(0, 2, dtype=torch.int64)), 0)

    own, teacher = torch.eye(6, dtype=torch.bool), rows @ rows.T
    cut = [torch.nn.functional.normalize(rows[:, :k]) for k in (2, 4)]
    narrow, wide = (loss(part @ part.T, teacher, own).item() for part in cut)
    whole = max(narrow, wide) / 300  # nothing is lost, and weighs no more than this
    shares = [x**-power for x in (whole, narrow, wide)]
    expected = (shares[1] * narrow + shares[2] * wide) / sum(shares)
    assert total.item() == pytest.approx(expected, rel=2e-3)  # halves, where the processor multiplies them


def test_similarities_that_are_known_are_taken() -> None:
    generator = torch.Generator().manual_seed(0)
    queries, rows = (torch.nn.functional.normalize(torch.randn(n, 8, generator=generator)) for n in (3, 6))
    head, anchors, none = Linear(8, 4), torch.tensor([4, 1]), torch.empty(0, 2, dtype=torch.int64)
    module = HeadModule(head, NeighborKL(), torch.optim.SGD, query_weight=1.0, document_weight=1.0)
    plain = Batch(queries, rows, anchors, none)
    expected, _ = module.loss_of_part(plain)
    found, _ = module.loss_of_part(plain._replace(similarities=rows[anchors] @ rows.T))
    torch.testing.assert_close(found, expected)
    other, _ = module.loss_of_part(plain._replace(similarities=rows[[0, 2]] @ rows.T))
    assert not torch.allclose(other, expected, rtol=1e-3)


def test_documents_that_stand_for_several_count_as_often() -> None:
    generator = torch.Generator().manual_seed(0)
    queries, rows = (torch.nn.functional.normalize(torch.randn(n, 8, generator=generator)) for n in (3, 6))
    times = torch.tensor([1, 1, 1, 3, 1, 2])
    head, anchors, none = Linear(8, 4), torch.tensor([4, 1]), torch.empty(0, 2, dtype=torch.int64)
    module = HeadModule(head, NeighborKL(), torch.optim.SGD, query_weight=1.0, document_weight=1.0)
    module._begin(Batch(queries, rows, anchors, none, None, times.log()))
    found, _ = module.loss_of_part(Batch(queries, rows, anchors, none, None, times.log()))
    expected, _ = module.loss_of_part(Batch(queries, rows.repeat_interleave(times, 0), torch.tensor([6, 1]), none))
    torch.testing.assert_close(found, expected)
