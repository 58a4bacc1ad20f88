"""The LightningModule of smaller networks, trained on texts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Self

import torch
from torch import Tensor, nn

from projhead.training.distillation import DistillationModule
from projhead.training.text_data import TextBatch


class NetworkModule(DistillationModule):
    """Train a network and the head behind it so that texts find the documents that the teacher finds.

    A student's text is compared with what the teacher's own network and head say of many documents, which is known
    beforehand: thousands of them cost no more than a product of matrices, whatever the network costs. So the student
    learns the teacher's reduced space; at inference it reads documents too. Where the network starts from the
    teacher's, its full-width rows are drawn to the teacher's as well: the two ideas are those of Vujanic and
    Rueckstiess, "LEAF", 2025 (a student in the teacher's space, by rows alone), and Zhao et al., "Compressing Sentence
    Representation for Semantic Retrieval via Homomorphic Projective Distillation", 2022 (a small network that learns
    reduced rows of a large one).

    Parameters
    ----------
    network : Module
        From features to features with ``sentence_embedding`` (b, d').
    head : Module
        From (b, d') to (b, k).
    teacher_head : Module
        From (m, d) to (m, k); stays as it is.
    loss : Module
        Called with student and teacher similarities (b, m) and the self mask.
    optimizer : callable
        From parameters to a ``torch.optim.Optimizer``; its rate goes as `warm_cosine` says.
    row_weight : float
        What the squared distance of the network's unit rows to the teacher's counts beside the loss; needs d' = d.
    nested : sequence of int
        Widths whose first components serve alone too, of both heads: each has the loss for itself, and their mean is
        minimized, as in `HeadModule`.
    """

    def __init__(
        self,
        network: nn.Module,
        head: nn.Module,
        teacher_head: nn.Module,
        loss: nn.Module,
        optimizer: Callable[[Iterable[nn.Parameter]], torch.optim.Optimizer],
        *,
        row_weight: float = 0.0,
        nested: Sequence[int] = (),
    ) -> None:
        super().__init__(loss, optimizer, [int(head.out_features), *nested])  # type: ignore[arg-type]
        self.network, self.head = network, head.requires_grad_(True)
        self.teacher_head = teacher_head.requires_grad_(False)
        self.row_weight = row_weight

    def train(self, mode: bool = True) -> Self:
        """Set the mode of all but the network, which drops nothing out: the teacher's rows hold no noise to average."""
        super().train(mode)
        self.network.eval()
        return self

    def forward(self, features: dict[str, Any]) -> Tensor:
        """Return the network's unit rows (b, d')."""
        return nn.functional.normalize(self.network(dict(features))["sentence_embedding"], dim=1)

    def _similarities(self, batch: TextBatch) -> tuple[Tensor, Tensor, list[Tensor]]:
        """Return the network's rows, and similarities (b, m) to documents: the teacher's, the student's by width."""
        rows = self(batch.features)
        reduced, documents = self.head(rows), self.teacher_head(batch.documents)
        students = [
            nn.functional.normalize(reduced[:, :k], dim=1) @ nn.functional.normalize(documents[:, :k], dim=1).T
            for k in self.widths
        ]
        return rows, batch.rows @ batch.documents.T, students

    def training_step(self, batch: TextBatch, index: int) -> Tensor:
        """Return the loss of one batch, its first part the mean over widths."""
        rows, teacher, students = self._similarities(batch)
        if self.global_step == 0:
            self._fit_temperatures(students, teacher, batch.self_mask)
        losses = [loss(student, teacher, batch.self_mask) for loss, student in zip(self.losses, students, strict=True)]
        total = torch.stack(losses).mean()
        if self.row_weight:
            distance = (rows - batch.rows).square().sum(1).mean()
            total = total + self.row_weight * distance
            self.log("train/distance", distance, batch_size=1)
        self.log("train/loss", total, batch_size=1)
        return total

    def validation_step(self, batch: TextBatch, index: int) -> None:
        """Log the share of the teacher's nearest documents that the student finds, the mean over widths."""
        _, teacher, students = self._similarities(batch)
        hidden = [similarities.masked_fill(batch.self_mask, -torch.inf) for similarities in (teacher, *students)]
        self._log_overlap(hidden[0], hidden[1:], batch_size=len(batch.rows))
