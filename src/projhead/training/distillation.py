"""The LightningModule that heads and networks share: losses, temperatures, validation."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Sequence

import pytorch_lightning as pl
import torch
from pytorch_lightning.plugins.precision import MixedPrecision, Precision
from pytorch_lightning.utilities import GradClipAlgorithmType
from pytorch_lightning.utilities.types import OptimizerLRScheduler
from torch import Tensor, nn

from projhead.training.schedule import distillation_optimizer

#: Validation looks at this many neighbors.
TOP_K = 10


class DistillationModule(pl.LightningModule):
    """Base of what learns a teacher's similarities, at one width or several.

    Parameters
    ----------
    loss : Module
        Called with student and teacher similarities (b, m) and the self mask; each width has a copy, with what it
        learns, for itself.
    optimizer : callable
        From parameters to a ``torch.optim.Optimizer``; its rate goes as `warm_cosine` says.
    widths : sequence of int
        First components that serve alone, the whole width first.
    """

    def __init__(
        self,
        loss: nn.Module,
        optimizer: Callable[[Iterable[nn.Parameter]], torch.optim.Optimizer],
        widths: Sequence[int],
    ) -> None:
        super().__init__()
        self._optimizer, self.widths = optimizer, list(widths)
        self.losses = nn.ModuleList([loss, *(copy.deepcopy(loss) for _ in widths[1:])])

    def _fit_temperatures(
        self, students: Sequence[Tensor], teacher: Tensor, self_mask: Tensor, *weights: Tensor
    ) -> None:
        """Fit the temperatures of losses that have one to the similarities (b, m) that training starts from."""
        for loss, student in zip(self.losses, students, strict=True):
            if hasattr(loss, "fit_temperature"):
                loss.fit_temperature(student.detach(), teacher, self_mask, *weights)  # type: ignore[operator]

    def _log_overlap(self, teacher: Tensor, students: Sequence[Tensor], batch_size: int) -> None:
        """Log the share of the nearest by `teacher` (b, m) that are so by each of `students`, the mean over widths."""
        top_k = max(min(TOP_K, teacher.shape[1] - 1), 1)
        nearest = torch.zeros_like(teacher, dtype=torch.bool).scatter_(1, teacher.topk(top_k).indices, True)
        kept = [nearest.gather(1, student.topk(top_k).indices).float().mean() for student in students]
        several = self._trainer is not None and self._trainer.world_size > 1
        self.log("val/overlap@10", torch.stack(kept).mean(), batch_size=batch_size, sync_dist=several)

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """Return the optimizer and its schedule over the trainer's steps."""
        steps = int(self.trainer.estimated_stepping_batches)
        return distillation_optimizer(self._optimizer, self, self.losses, steps)

    def configure_gradient_clipping(
        self,
        optimizer: torch.optim.Optimizer,
        gradient_clip_val: float | None = None,
        gradient_clip_algorithm: str | None = None,
    ) -> None:
        """Clip gradients, those of a fused optimizer in bfloat16 too.

        Lightning refuses that under any mixed precision, as a fused optimizer takes off the scale of float16's
        gradients by itself: bfloat16's have none.
        """
        plugin = self.trainer.precision_plugin
        if isinstance(plugin, MixedPrecision) and plugin.scaler is None:
            algorithm = GradClipAlgorithmType(gradient_clip_algorithm or "norm")
            Precision.clip_gradients(plugin, optimizer, gradient_clip_val or 0.0, algorithm)
        else:
            self.clip_gradients(optimizer, gradient_clip_val, gradient_clip_algorithm)
