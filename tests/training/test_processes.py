from __future__ import annotations

from functools import partial

import pytest
import pytorch_lightning as pl
import torch
from torch import nn

from projhead.codecs.integer import Integer
from projhead.heads.residual_mlp import ResidualMLP
from projhead.losses.info_nce import InfoNCE
from projhead.losses.margin_mse import MarginMSE
from projhead.losses.matryoshka_adaptor import MatryoshkaAdaptor
from projhead.losses.neighbor_kl import NeighborKL
from projhead.losses.similarity_mse import SimilarityMSE
from projhead.reducers.learned import LearnedReducer
from projhead.training.head_module import HeadModule
from projhead.training.samplers import Batch
from projhead.vectors import Vectors


def _whole(rows: Vectors) -> Batch:
    """61 queries, of which two have judged documents, 200 documents, 31 anchors: none is a multiple of 3."""
    documents = torch.from_numpy(rows[:200])
    relevant = torch.tensor([[0, 7], [0, 8], [4, 150]])
    return Batch(torch.from_numpy(rows[300:361]), documents, torch.arange(0, 186, 6), relevant)


@pytest.mark.parametrize("loss", [NeighborKL([0.05, 0.2]), InfoNCE(), MarginMSE(), MatryoshkaAdaptor()])
def test_the_parts_of_a_batch_have_its_loss_and_its_gradients_on_average(loss: nn.Module, rows: Vectors) -> None:
    torch.manual_seed(0)
    module = HeadModule(
        ResidualMLP(rows.shape[1], 16, hidden_features=64),
        loss,
        torch.optim.SGD,
        codec=Integer().fit(rows[:, :16]).fake_quantized(),
        distortion_weight=3.0,
        query_weight=0.8,
        document_weight=0.4,
        label_margin=0.1,
    )
    learned = [parameter for parameter in module.parameters() if parameter.requires_grad]

    def of(number: int, world: int) -> list[torch.Tensor]:
        total, _ = module.loss_of_part(_whole(rows), number, world)
        return [total.detach(), *torch.autograd.grad(total, learned)]

    whole, parts = of(0, 1), [of(number, 3) for number in range(3)]
    for alone, *shared in zip(whole, *parts, strict=True):
        torch.testing.assert_close(torch.stack(shared).mean(0), alone, rtol=1e-5, atol=1e-6)
    assert not torch.allclose(parts[0][0], whole[0], rtol=1e-3)


def test_a_loss_that_has_no_parts_is_refused_by_name_before_anything_is_started(rows: Vectors) -> None:
    trainer = partial(pl.Trainer, accelerator="cpu", devices=2, max_steps=1)
    with pytest.raises(ValueError, match=r"trainer.devices: expected 1, got 2: SimilarityMSE is no mean over anchors"):
        LearnedReducer(8, loss=SimilarityMSE(), trainer=trainer).fit(rows)
