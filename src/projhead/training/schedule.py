"""How a rate of learning goes: up, then down."""

from __future__ import annotations

import torch
from pytorch_lightning.utilities.types import OptimizerLRScheduler


def warm_cosine(optimizer: torch.optim.Optimizer, steps: int) -> OptimizerLRScheduler:
    """Return the optimizer with a rate that is warmed up over 5% of the steps and falls to zero along a cosine.

    After Loshchilov and Hutter, "SGDR", 2017.
    """
    steps = max(steps, 1)
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
