"""Show one bar over all steps, and remember every validation."""

from __future__ import annotations

from typing import Any

import pytorch_lightning as pl
from tqdm.auto import tqdm


class StepProgress(pl.Callback):
    """Show steps done of all steps to do; Lightning's own bar starts again at every epoch.

    Parameters
    ----------
    title : str
        What stands before the bar. Of several processes only the first shows one.
    stays : bool
        Whether the bar is left when all is done.
    """

    def __init__(self, title: str = "train", *, stays: bool = True) -> None:
        self.title, self.stays = title, stays

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Open the bar, at the step a resumed run goes on from."""
        total = trainer.max_steps if trainer.max_steps > 0 else None
        self._bar = tqdm(
            total=total, initial=trainer.global_step, desc=self.title, unit="step", mininterval=0.5,
            disable=not trainer.is_global_zero, leave=self.stays,
        )  # fmt: skip

    def on_train_batch_end(self, trainer: pl.Trainer, *args: Any, **kwargs: Any) -> None:
        """Move on by one step."""
        self._bar.update(trainer.global_step - self._bar.n)
        shown = {name: trainer.callback_metrics.get(name) for name in ("train/loss", "val/overlap@10")}
        self._bar.set_postfix(
            {name: f"{value:.4f}" for name, value in shown.items() if value is not None}, refresh=False
        )

    def teardown(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Close the bar, also after an error."""
        if hasattr(self, "_bar"):
            self._bar.close()


class History(pl.Callback):
    """Keep the step, the mean loss since the last validation, and the overlap of every validation.

    Attributes
    ----------
    checks : list of dict
        With ``step``, ``loss`` and ``overlap``; a resumed run goes on with those of its checkpoint.
    """

    def __init__(self) -> None:
        self.checks: list[dict[str, float]] = []
        self._losses: list[Any] = []

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, *_: Any) -> None:
        """Note a step's loss, without waiting for it."""
        self._losses.append(outputs["loss"].detach())

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Note what the validation saw."""
        loss = float(sum(self._losses) / max(len(self._losses), 1))
        overlap = float(trainer.callback_metrics.get("val/overlap@10", float("nan")))
        self.checks.append({"step": trainer.global_step, "loss": loss, "overlap": overlap})
        self._losses.clear()

    def state_dict(self) -> dict[str, Any]:
        """Return what a checkpoint keeps."""
        return {"checks": self.checks}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take what a checkpoint kept."""
        self.checks = list(state_dict["checks"])
