"""Seed a fit without touching the caller's random state, and quiet Lightning."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from projhead.console.quiet import quiet

# What Lightning says of every small fit and a user of `fit` cannot act on.
_CHATTER = (
    "does not have many workers",
    "The number of training batches",
    "is smaller than the logging interval",
    "LeafSpec",
    "Checkpoint directory .* exists and is not empty",
    "Experiment logs directory .* exists and is not empty",
    "You have overridden",
    "GPU available but not used",
    "Starting from v1.9.0, `tensorboardX` has been removed",
    "Detected call of `lr_scheduler.step",
    r"Found \d+ module\(s\) in eval mode",
)


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Seed torch for the fit, leave the caller's random state as it was and no GPU memory cached; quiet Lightning."""
    chatter = quiet("pytorch_lightning.utilities.rank_zero", ignore=_CHATTER, level=logging.WARNING)
    with torch.random.fork_rng(devices=range(torch.cuda.device_count())), chatter:
        torch.manual_seed(seed)
        try:
            yield
        finally:
            torch.cuda.empty_cache()
