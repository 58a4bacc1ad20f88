"""A run of Lightning: seeded, quiet, its best weights taken."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import ModelCheckpoint
from torch import nn

from projhead.quiet import quiet
from projhead.training.checkpoints import WholeCheckpoints

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


def make_trainer(
    trainer: Callable[..., pl.Trainer] | None,
    callbacks: Mapping[str, pl.Callback] | None,
    logger: Mapping[str, Any] | None,
    max_steps: int,
) -> pl.Trainer:
    """Build a trainer with what correctness needs: epochs are counted in steps, batches made anew in each.

    `callbacks`, `logger` go with a `trainer` that is given, `max_steps` with one that is not.
    """
    needed = {"max_epochs": -1, "reload_dataloaders_every_n_epochs": 1, "num_sanity_val_steps": 0}
    if trainer is not None:
        loggers = list((logger or {}).values())
        callbacks_ = list((callbacks or {}).values())
        return trainer(callbacks=callbacks_, logger=loggers or False, plugins=[WholeCheckpoints()], **needed)
    return pl.Trainer(
        max_steps=max_steps,
        devices=1,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        **needed,  # type: ignore[arg-type]
    )


def take_best(trainer: pl.Trainer, module: nn.Module) -> dict[str, float]:
    """Put the best checkpoint's weights into `module`, where checkpoints were kept; return its overlap."""
    found = [callback for callback in trainer.checkpoint_callbacks if isinstance(callback, ModelCheckpoint)]
    for callback in found:
        if callback.monitor and callback.best_model_path and callback.best_model_score is not None:
            state = torch.load(callback.best_model_path, weights_only=True, map_location="cpu")["state_dict"]
            module.load_state_dict(state)
            return {"val/overlap@10": float(callback.best_model_score)}
    return {name: float(value) for name, value in trainer.callback_metrics.items() if name == "val/overlap@10"}


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
