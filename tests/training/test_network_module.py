from __future__ import annotations

from functools import partial

import pytest
import torch
from torch import nn
from torch.nn.functional import normalize

from projhead.heads.linear import Linear
from projhead.losses.neighbor_kl import NeighborKL
from projhead.training.network_module import NetworkModule
from projhead.training.seeding import seeded
from projhead.training.text_data import TextBatch


class _Network(nn.Module):
    """A table with noise, as dropout is, where a network should make none."""

    def __init__(self) -> None:
        super().__init__()
        self.table, self.noise = nn.Embedding(10, 6), nn.Dropout(0.5)

    def forward(self, features: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        features["sentence_embedding"] = self.noise(self.table(features["ids"]))
        return features


@pytest.fixture
def module() -> NetworkModule:
    torch.manual_seed(0)
    heads = [Linear(6, 4), Linear(6, 4)]
    for head in heads:
        head.initialize(torch.randn(4, 6))
    optimizer = partial(torch.optim.AdamW, lr=1e-2)
    made = NetworkModule(
        _Network(), *heads, NeighborKL([0.5], student_temperature=0.5), optimizer, row_weight=2.0, nested=[2]
    )
    made.log = lambda *args, **options: None  # type: ignore[method-assign]  # there is no trainer
    return made.train()


@pytest.fixture
def batch() -> TextBatch:
    generator = torch.Generator().manual_seed(1)
    rows, documents = (normalize(torch.randn(n, 6, generator=generator)) for n in (3, 8))
    self_mask = torch.zeros(3, 8, dtype=torch.bool)
    self_mask[1, 5] = True
    return TextBatch({"ids": torch.tensor([1, 4, 7])}, rows, documents, self_mask)


def test_the_loss_is_that_of_similarities_and_rows(module: NetworkModule, batch: TextBatch) -> None:
    rows = normalize(module.network.table.weight[[1, 4, 7]])
    expected = 2.0 * ((rows - batch.rows) ** 2).sum() / 3
    for k in (4, 2):
        student = normalize((rows @ module.head.projection.weight.T)[:, :k])
        document = normalize((batch.documents @ module.teacher_head.projection.weight.T)[:, :k])
        for i in range(3):
            others = [j for j in range(8) if not batch.self_mask[i, j]]
            p, q = (
                torch.softmax(torch.stack([s @ c[j] for j in others]) / 0.5, 0)
                for s, c in ((batch.rows[i], batch.documents), (student[i], document))
            )
            expected = expected + (p * (p / q).log()).sum() / 3 / 2
    torch.testing.assert_close(module.training_step(batch, 0), expected)


def test_network_and_head_learn_and_the_teachers_head_stays(module: NetworkModule, batch: TextBatch) -> None:
    before = {name: value.clone() for name, value in module.state_dict().items()}
    optimizer = module._optimizer([p for p in module.parameters() if p.requires_grad])
    module.training_step(batch, 0).backward()
    optimizer.step()
    changed = {name for name, value in module.state_dict().items() if not torch.equal(value, before[name])}
    assert {"network.table.weight", "head.projection.weight"} <= changed
    assert not {name for name in changed if name.startswith("teacher_head")}
    assert "ids" in batch.features
    assert "sentence_embedding" not in batch.features  # a batch can be used again


def test_validation_is_the_share_of_the_teachers_nearest_documents_other_than_the_text_itself(
    module: NetworkModule, monkeypatch: pytest.MonkeyPatch
) -> None:
    generator = torch.Generator().manual_seed(2)
    rows, documents = (normalize(torch.randn(n, 6, generator=generator)) for n in (3, 40))
    self_mask = torch.zeros(3, 40, dtype=torch.bool)
    self_mask.scatter_(1, (rows @ documents.T).topk(6).indices, True)  # a share found among these says another thing
    logged: dict[str, float] = {}
    monkeypatch.setattr(module, "log", lambda name, value, **_: logged.update({name: float(value)}))
    module.validation_step(TextBatch({"ids": torch.tensor([1, 4, 7])}, rows, documents, self_mask), 0)
    network, kept = normalize(module.network.table.weight.detach()[[1, 4, 7]]), []
    for k in (4, 2):
        student = normalize((network @ module.head.projection.weight.detach().T)[:, :k])
        reduced = normalize((documents @ module.teacher_head.projection.weight.detach().T)[:, :k])
        for i in range(3):
            others = [j for j in range(40) if not self_mask[i, j]]
            true = set(sorted(others, key=lambda j: -float(rows[i] @ documents[j]))[:10])
            found = set(sorted(others, key=lambda j: -float(student[i] @ reduced[j]))[:10])
            kept.append(len(true & found) / 10)
    assert logged["val/overlap@10"] == pytest.approx(sum(kept) / len(kept))


def test_a_fit_gives_a_gpus_cache_back_even_when_it_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    freed: list[str] = []
    monkeypatch.setattr("torch.cuda.empty_cache", lambda: freed.append("freed"))
    with pytest.raises(RuntimeError), seeded(0):
        raise RuntimeError
    assert freed == ["freed"]
