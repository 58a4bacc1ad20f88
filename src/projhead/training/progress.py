"""One progress bar over all steps, with ETA, loss and validation overlap."""

from __future__ import annotations

from typing import Any

import pytorch_lightning as pl
from tqdm.auto import tqdm


class StepProgress(pl.Callback):
    """Show steps done of all steps to do; Lightning's own bar starts again at every epoch."""

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Open the bar, at the step a resumed run goes on from."""
        self._bar = tqdm(
            total=trainer.max_steps, initial=trainer.global_step, desc="train", unit="step", mininterval=0.5
        )

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
