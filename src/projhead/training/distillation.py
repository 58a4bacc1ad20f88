"""The one LightningModule: a head, a loss, and how near the student's neighbours are to the teacher's."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.utilities.types import OptimizerLRScheduler
from torch import Tensor, nn

from projhead.training.batches import Batch

#: Validation looks at this many neighbours.
TOP_K = 10


class Distillation(pl.LightningModule):
    """Train a head so that its unit rows keep the teacher's similarities.

    Parameters
    ----------
    head : Module
        From (n, d) to (n, k).
    loss : Module
        Called with student and teacher similarities (b, m) and the mask of own rows.
    optimizer : callable
        From parameters to a ``torch.optim.Optimizer``; its rate is warmed up over 5% of the steps and falls to
        zero along a cosine (Loshchilov and Hutter, "SGDR", 2017).
    """

    def __init__(
        self, head: nn.Module, loss: nn.Module, optimizer: Callable[[Iterable[nn.Parameter]], torch.optim.Optimizer]
    ) -> None:
        super().__init__()
        self.head, self.loss, self._optimizer = head, loss, optimizer

    def forward(self, rows: Tensor) -> Tensor:
        """Reduce teacher rows (n, d) to unit rows (n, k)."""
        return nn.functional.normalize(self.head(rows), dim=1)

    def similarities(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Return similarities of anchors to candidates, the student's and the teacher's, both (b, m)."""
        return self(batch.anchors) @ self(batch.candidates).T, batch.anchors @ batch.candidates.T

    def training_step(self, batch: Batch, index: int) -> Tensor:
        """Return the loss of one batch."""
        loss: Tensor = self.loss(*self.similarities(batch), batch.own)
        self.log("train/loss", loss, batch_size=len(batch.anchors))
        return loss

    def validation_step(self, batch: Batch, index: int) -> None:
        """Log the share of the teacher's nearest candidates that the student keeps."""
        student, teacher = (similarity.masked_fill(batch.own, -torch.inf) for similarity in self.similarities(batch))
        top_k = min(TOP_K, teacher.shape[1] - 1)
        nearest = torch.zeros_like(teacher, dtype=torch.bool).scatter_(1, teacher.topk(top_k).indices, True)
        kept = nearest.gather(1, student.topk(top_k).indices).float().mean()
        self.log("val/overlap@10", kept, batch_size=len(batch.anchors))

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """Return the optimizer and its schedule over the trainer's steps."""
        optimizer = self._optimizer(self.parameters())
        steps = max(int(self.trainer.estimated_stepping_batches), 1)
        warm = max(steps // 20, 1)
        schedule = torch.optim.lr_scheduler.SequentialLR(
            optimizer,
            [
                torch.optim.lr_scheduler.LinearLR(optimizer, 1 / warm, total_iters=warm),
                torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, max(steps - warm, 1)),
            ],
            milestones=[warm],
        )
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep only what resuming needs, so that it loads with ``weights_only=True``."""
        checkpoint.pop("hyper_parameters", None)
