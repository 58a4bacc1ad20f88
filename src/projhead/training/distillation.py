"""The one LightningModule: a head, a loss, and how near the student's neighbours are to the teacher's."""

from __future__ import annotations

from collections.abc import Callable, Iterable

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
    query_weight, document_weight : float
        What the queries' similarities to documents count, and the documents' to each other: the first is better
        for retrieval, the second keeps neighbourhoods.
    """

    def __init__(
        self,
        head: nn.Module,
        loss: nn.Module,
        optimizer: Callable[[Iterable[nn.Parameter]], torch.optim.Optimizer],
        *,
        query_weight: float,
        document_weight: float,
    ) -> None:
        super().__init__()
        self.head, self.loss, self._optimizer = head, loss, optimizer
        self.query_weight, self.document_weight = query_weight, document_weight

    def forward(self, rows: Tensor) -> Tensor:
        """Reduce teacher rows (n, d) to unit rows (n, k)."""
        return nn.functional.normalize(self.head(rows), dim=1)

    def similarities(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Return similarities of all rows, queries first, to the documents: student's and teacher's (b + m, m)."""
        rows = torch.cat([batch.queries, batch.documents])
        reduced = self(rows)
        return reduced @ reduced[len(batch.queries) :].T, rows @ batch.documents.T

    def training_step(self, batch: Batch, index: int) -> Tensor:
        """Return the loss of one batch."""
        student, teacher = self.similarities(batch)
        b = len(batch.queries)
        own = torch.eye(len(batch.documents), dtype=torch.bool, device=student.device)
        loss: Tensor = self.document_weight * self.loss(student[b:], teacher[b:], own)
        if b:
            nothing = own.new_zeros(b, len(batch.documents))
            loss = loss + self.query_weight * self.loss(student[:b], teacher[:b], nothing)
        self.log("train/loss", loss, batch_size=1)
        return loss

    def validation_step(self, batch: Batch, index: int) -> None:
        """Log the share of the teacher's nearest documents that the student keeps."""
        student, teacher = self.similarities(batch)
        if len(batch.queries):
            student, teacher = student[: len(batch.queries)], teacher[: len(batch.queries)]
        else:
            student.fill_diagonal_(-torch.inf)
            teacher.fill_diagonal_(-torch.inf)
        top_k = max(min(TOP_K, teacher.shape[1] - 1), 1)
        nearest = torch.zeros_like(teacher, dtype=torch.bool).scatter_(1, teacher.topk(top_k).indices, True)
        kept = nearest.gather(1, student.topk(top_k).indices).float().mean()
        self.log("val/overlap@10", kept, batch_size=1)

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
