"""Run a Lightning trainer, take its best weights, and say how it ended."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import ModelCheckpoint
from pytorch_lightning.strategies.launchers.subprocess_script import _SubprocessScriptLauncher
from torch import nn

from projhead.persistence.registry import spec_of
from projhead.training.checkpoints import WholeCheckpoints
from projhead.training.schedule import SCHEDULE


def make_trainer(
    trainer: Callable[..., pl.Trainer] | None,
    callbacks: Mapping[str, pl.Callback] | None,
    logger: Mapping[str, Any] | None,
    max_steps: int,
    watchers: Sequence[pl.Callback] = (),
    *,
    undivided: str = "",
    validates: bool = True,
) -> pl.Trainer:
    """Build a trainer with what correctness needs: epochs are counted in steps, batches made anew in each.

    `max_steps` goes with a `trainer` that is not given. Every process sees the same batches, and takes its part of
    each. `undivided` says what cannot take a part.

    Raises
    ------
    ValueError
        If several devices are asked for where one process trains.
    """
    needed: dict[str, Any] = {
        "max_epochs": -1,
        "reload_dataloaders_every_n_epochs": 1,
        "num_sanity_val_steps": 0,
        "use_distributed_sampler": False,
        **({} if validates else {"limit_val_batches": 0}),
    }
    loggers: Any = list((logger or {}).values()) or False
    every = [*(callbacks or {}).values(), *watchers]
    # Lightning's own would write into the working directory, for each part that judges too.
    writes = any(isinstance(one, ModelCheckpoint) for one in every)
    if not validates or "enable_checkpointing" not in getattr(trainer, "keywords", {}):
        needed["enable_checkpointing"] = writes
    if trainer is not None:
        made = trainer(callbacks=every, logger=loggers, plugins=[WholeCheckpoints()], **needed)
        if made.world_size > 1 and undivided:
            raise ValueError(f"trainer.devices: expected 1, got {made.world_size}: {undivided}")
        return made
    return pl.Trainer(
        max_steps=max_steps,
        devices=1,
        callbacks=every,
        logger=loggers,
        plugins=[WholeCheckpoints()],
        enable_progress_bar=False,
        enable_model_summary=False,
        **needed,
    )


def fit(trainer: pl.Trainer, module: pl.LightningModule, data: pl.LightningDataModule, resume: Any) -> None:
    """Train, and leave no other process behind where that is cut short."""
    try:
        trainer.fit(module, datamodule=data, ckpt_path=resume, weights_only=True)
    except BaseException:
        if isinstance(trainer.strategy.launcher, _SubprocessScriptLauncher):
            trainer.strategy.launcher.kill(signal.SIGKILL)  # they write nothing
        raise


def take_best(trainer: pl.Trainer, module: nn.Module) -> dict[str, float]:
    """Put the best checkpoint's weights into `module`, where checkpoints were kept; return its overlap."""
    for callback in _best(trainer):
        state = torch.load(callback.best_model_path, weights_only=True, map_location="cpu")["state_dict"]
        module.load_state_dict(state)
        assert callback.best_model_score is not None
        return {"val/overlap@10": float(callback.best_model_score)}
    return {name: float(value) for name, value in trainer.callback_metrics.items() if name == "val/overlap@10"}


def made_by(loss: nn.Module, trainer: pl.Trainer) -> dict[str, Any]:
    """Return the loss, the optimizer and the schedule of a training as records hold them, with nothing left open."""
    (optimizer,) = trainer.optimizers
    settings = {name: value for name, value in optimizer.defaults.items() if isinstance(value, int | float | tuple)}
    return {
        "loss": spec_of(loss),
        "optimizer": {"class": type(optimizer).__name__, "parameters": settings},
        "schedule": SCHEDULE,
        "max_steps": trainer.max_steps,
    }


def ending(trainer: pl.Trainer) -> str:
    """Say where a training ended and which of its weights were kept: ``stopped at 250 of 400 steps, best kept``."""
    kept = "best kept" if any(_best(trainer)) else "last kept"
    if 0 < trainer.max_steps <= trainer.global_step:
        return f"all {trainer.global_step} steps, {kept}"
    most = f" of {trainer.max_steps}" if trainer.max_steps > 0 else ""
    return f"stopped at {trainer.global_step}{most} steps, {kept}"


def _best(trainer: pl.Trainer) -> Iterator[ModelCheckpoint]:
    """Yield the callbacks that kept the best weights."""
    for callback in trainer.checkpoint_callbacks:
        if isinstance(callback, ModelCheckpoint) and callback.monitor and callback.best_model_score is not None:
            yield callback
