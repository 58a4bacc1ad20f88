"""The LightningModule of heads, trained on rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import torch
from torch import Tensor, nn

from projhead.codecs._fake_quantize import FakeQuantized
from projhead.training.distillation import DistillationModule
from projhead.training.samplers import Batch, part_of


class HeadModule(DistillationModule):
    """Train a head so that its unit rows keep the teacher's similarities.

    Parameters
    ----------
    head : Module
        From (n, d) to (n, k).
    loss : Module
        Called with student and teacher similarities (b, m), the self mask, and log weights (m,) where a batch has some.
    optimizer : callable
        From parameters to a ``torch.optim.Optimizer``; its rate goes as `warm_cosine` says.
    nested : sequence of int
        Widths whose first components are to serve alone too (Kusupati et al., "Matryoshka Representation Learning",
        2022): each has the loss, with what it learns, for itself. Their mean is minimized, each divided by a power of
        what it is at the start: a few columns begin far from the teacher, and would else bend what serves many.
    codec : FakeQuantized, optional
        What documents pass when rows are compared with them, while those stay float. Its distortion, the mean squared
        distance of a row to what its code says, moves the codec and not the head (van den Oord et al., "Neural discrete
        representation learning", 2017). It is that of queries too: tables learn few documents by heart, and code others
        the better for being held to more of their kind.
    raw_codes : bool
        Leave what codes say the length it has.
    distortion_weight : float
        What the distortion counts beside the loss.
    nested_power : float
        That power: at 1 all widths count alike.
    query_weight, document_weight : float
        What the queries' similarities to documents count, and the documents' to each other: the first is better
        for retrieval, the second keeps neighborhoods.
    label_margin : float
        How far the teacher's similarity of a query to a document judged relevant is put above the greatest of the
        query's others: the teacher is corrected where it is known to err, and trusted otherwise.
    """

    def __init__(
        self,
        head: nn.Module,
        loss: nn.Module,
        optimizer: Callable[[Iterable[nn.Parameter]], torch.optim.Optimizer],
        *,
        nested: Sequence[int] = (),
        nested_power: float = 0.5,
        codec: FakeQuantized | None = None,
        raw_codes: bool = False,
        distortion_weight: float = 0.0,
        query_weight: float,
        document_weight: float,
        label_margin: float = 0.0,
    ) -> None:
        super().__init__(loss, optimizer, [int(head.out_features), *nested])  # type: ignore[arg-type]
        self.head = head
        self.codec, self.raw_codes, self.distortion_weight = codec, raw_codes, distortion_weight
        self.nested_power = nested_power
        self.query_weight, self.document_weight = query_weight, document_weight
        self.label_margin = label_margin
        self.shares: Tensor
        self.register_buffer("shares", torch.full((len(self.widths),), 1 / len(self.widths)))

    def forward(self, rows: Tensor) -> Tensor:
        """Reduce teacher rows (n, d) to unit rows (n, k)."""
        return nn.functional.normalize(self.head(rows), dim=1)

    def _similarities(self, batch: Batch) -> tuple[Tensor, list[Tensor]]:
        """Return similarities (b + a, m) of queries and anchors to documents: teacher's, student's by width."""
        b = len(batch.queries)

        def compared(rows: Tensor, documents: Tensor) -> Tensor:
            return torch.cat([rows[:b], rows[b:][batch.anchors]]) @ documents.T

        rows = torch.cat([batch.queries, batch.documents])
        with torch.autocast("cpu", torch.bfloat16, enabled=_halves(rows) and self.codec is None):
            projected = self.head(rows).float()
        reduced = [nn.functional.normalize(projected[:, :k], dim=1) for k in self.widths]
        students = [compared(part, self._stored(part)[b:]) for part in reduced]
        if batch.similarities is None:
            return compared(rows, batch.documents), students
        return torch.cat([batch.queries @ batch.documents.T, batch.similarities]), students

    def _stored(self, rows: Tensor) -> Tensor:
        """Return rows (b + m, k), of queries and documents, as they are found again."""
        if self.codec is None:
            return rows
        decoded = self.codec(rows)
        # The gradient to the rows passes the codec straight and so takes itself away here.
        self._distortion = (rows - decoded).square().sum(1)
        return decoded if self.raw_codes else nn.functional.normalize(decoded, dim=1)

    def training_step(self, batch: Batch, index: int) -> Tensor:
        """Return the loss of one batch, the weighted mean over widths."""
        if self.global_step == 0:
            self._begin(batch)
        number, world = self._processes
        total, distortion = self.loss_of_part(batch, number, world)
        if distortion is not None:
            self.log("train/distortion", distortion, batch_size=1, sync_dist=world > 1)
        self.log("train/loss", total, batch_size=1, sync_dist=world > 1)
        return total

    def loss_of_part(self, whole: Batch, number: int = 0, world: int = 1) -> tuple[Tensor, Tensor | None]:
        """Return the loss of one process of several, and the distortion in it, None without a codec.

        Each takes a part of the queries and anchors, and weighs its losses so that their mean over processes, which is
        what gradients become, is the loss of the whole batch.
        """
        batch = part_of(whole, number, world)
        of_queries = world * len(batch.queries) / max(len(whole.queries), 1)
        of_documents = world * len(batch.anchors) / len(whole.anchors)
        total = self.shares @ self._losses(batch, *self._compared(batch), of_queries, of_documents)
        if self.codec is None:
            return total, None
        # Queries are a part, documents are with every process.
        b, rows = len(batch.queries), len(whole.queries) + len(whole.documents)
        distortion = (world * self._distortion[:b].sum() + self._distortion[b:].sum()) / rows
        return total + self.distortion_weight * distortion, distortion

    @torch.no_grad()
    def _begin(self, batch: Batch) -> None:
        """Fit temperatures, and what each width counts, to the whole first batch."""
        teacher, students = self._compared(batch)
        of_queries = torch.zeros(len(batch.queries), len(batch.documents), dtype=torch.bool, device=teacher.device)
        self._fit_temperatures(students, teacher, torch.cat([of_queries, _self_mask(batch)]), *_weights(batch))
        found = self._losses(batch, teacher, students)
        # A full width begins at nothing, by rounding a little below, and is not all that counts.
        self.shares = found.clamp(min=max(float(found.max()) / 300, 1e-9)) ** -self.nested_power
        self.shares /= self.shares.sum()

    def _compared(self, batch: Batch) -> tuple[Tensor, list[Tensor]]:
        """Return the similarities of a batch, with those of judged pairs above the query's others."""
        teacher, students = self._similarities(batch)
        query, document = batch.relevant.unbind(1)
        teacher[query, document] = teacher[query].amax(1) + self.label_margin
        return teacher, students

    def _losses(
        self,
        batch: Batch,
        teacher: Tensor,
        students: Sequence[Tensor],
        of_queries: float = 1.0,
        of_documents: float = 1.0,
    ) -> Tensor:
        """Return the loss (widths,) of each width, over queries and over anchors."""
        b, self_mask, weights = len(batch.queries), _self_mask(batch), _weights(batch)
        found = []
        for loss, student in zip(self.losses, students, strict=True):
            total: Tensor = of_documents * self.document_weight * loss(student[b:], teacher[b:], self_mask, *weights)
            if b:
                nothing = torch.zeros_like(teacher[:b], dtype=torch.bool)
                total = total + of_queries * self.query_weight * loss(student[:b], teacher[:b], nothing, *weights)
            found.append(total)
        return torch.stack(found)

    @property
    def _processes(self) -> tuple[int, int]:
        """Which of how many processes this is."""
        return (self._trainer.global_rank, self._trainer.world_size) if self._trainer else (0, 1)

    def validation_step(self, batch: Batch, index: int) -> None:
        """Log the share of the teacher's nearest documents that the student keeps, the mean over widths."""
        teacher, students = self._similarities(batch)
        for similarities in (teacher, *students):
            similarities[len(batch.queries) :].masked_fill_(_self_mask(batch), -torch.inf)
        self._log_overlap(teacher, students, batch_size=1)


def _halves(rows: Tensor) -> bool:
    """Say whether rows are on a CPU that multiplies bfloat16 twice as fast: noise that a head does not mind."""
    return rows.device.type == "cpu" and bool(torch.cpu.get_capabilities().get("avx512_bf16", False))


def _weights(batch: Batch) -> list[Tensor]:
    return [] if batch.log_weights is None else [batch.log_weights]


def _self_mask(batch: Batch) -> Tensor:
    """Return a mask (a, m): where an anchor meets itself among the documents."""
    self_mask = torch.zeros(len(batch.anchors), len(batch.documents), dtype=torch.bool, device=batch.documents.device)
    return self_mask.scatter_(1, batch.anchors[:, None], True)
