"""The learning rate: up, then down."""

from __future__ import annotations

from collections.abc import Callable

import torch
from pytorch_lightning.utilities.types import OptimizerLRScheduler
from torch import nn

#: A temperature is one number among thousands: at the rate of weights it would stay where it began.
_LOSS_RATE = 20.0
#: The rate of every training, for records.
SCHEDULE = {"warm up": "5% of the steps", "then": "a cosine to zero", "rate of the loss's own": _LOSS_RATE}


def distillation_optimizer(
    optimizer: Callable[..., torch.optim.Optimizer], module: nn.Module, losses: nn.Module, steps: int
) -> OptimizerLRScheduler:
    """Return a module's optimizer; parameters of its losses learn twenty times as fast, without decay."""
    of_losses = {id(parameter) for parameter in losses.parameters()}
    learned = [parameter for parameter in module.parameters() if parameter.requires_grad]
    made = optimizer([{"params": [parameter for parameter in learned if id(parameter) not in of_losses]}])
    if numbers := [parameter for parameter in learned if id(parameter) in of_losses]:
        rate = _LOSS_RATE * made.param_groups[0]["lr"]
        made.add_param_group({"params": numbers, "lr": rate, "weight_decay": 0.0})
    return warm_cosine(made, steps)


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
