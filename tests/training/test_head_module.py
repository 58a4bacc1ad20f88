from __future__ import annotations

import pytest
import torch

from projhead.codecs.pq import FakeQuantizedSums
from projhead.heads.linear import Linear
from projhead.losses.neighbor_kl import NeighborKL
from projhead.training.head_module import HeadModule
from projhead.training.samplers import Batch


def test_tables_are_held_to_queries_as_to_documents(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = torch.Generator().manual_seed(0)
    queries, documents = (torch.nn.functional.normalize(torch.randn(n, 8, generator=generator)) for n in (3, 5))
    head = Linear(8, 8)
    head.initialize(torch.eye(8))
    fake = FakeQuantizedSums(torch.randn(2, 256, 4, generator=generator))
    module = HeadModule(
        head, NeighborKL(), torch.optim.SGD, codec=fake, distortion_weight=2.0, query_weight=1.0, document_weight=0.5
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
