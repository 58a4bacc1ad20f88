from __future__ import annotations

from functools import partial

import pytest
import pytorch_lightning as pl

from projhead.training.trainer import make_trainer


def test_several_devices_are_refused_before_anything_is_started() -> None:
    trainer = partial(pl.Trainer, accelerator="cpu", devices=2, max_steps=1)
    with pytest.raises(ValueError, match=r"trainer.devices: expected 1, got 2"):
        make_trainer(trainer, None, None, 1)
