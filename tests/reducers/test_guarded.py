from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pytest
import pytorch_lightning as pl
from pytorch_lightning.callbacks import ModelCheckpoint

from projhead.heads.linear import Linear
from projhead.reducers import guarded
from projhead.reducers.learned import LearnedReducer
from projhead.vectors import Vectors


@pytest.mark.parametrize(
    ("n", "sizes"), [(120, [40] * 3), (600, [200] * 3), (1500, [500] * 2), (2400, [800]), (5000, [1000])]
)
def test_parts_that_judge_are_as_many_as_say_enough(n: int, sizes: list[int]) -> None:
    rows = np.arange(n)[:, None]
    folds = list(guarded._folds(rows, 0))
    assert [len(part) for part, _ in folds] == sizes
    assert len(set(np.concatenate([part[:, 0] for part, _ in folds]))) == sum(sizes)
    for part, rest in folds:
        assert sorted({*part[:, 0], *rest[:, 0]}) == list(range(n))
        assert len(part) + len(rest) == n


def test_heads_that_only_judge_are_not_validated(rows: Vectors, monkeypatch: pytest.MonkeyPatch) -> None:
    histories, train = [], guarded.train_head

    def watched(*args: object, **kwargs: object) -> object:
        trained = train(*args, **kwargs)
        histories.append(trained.history)
        return trained

    monkeypatch.setattr(guarded, "train_head", watched)
    LearnedReducer(8, max_steps=4, steps_per_epoch=2).fit(rows)
    assert [len(history) for history in histories] == [0, 0, 0, 2]


def test_a_head_that_lacks_a_method_is_named_before_it_is_trained(rows: Vectors) -> None:
    class Halfway(Linear):
        blended = property()  # a module has it, and has nothing

    with pytest.raises(ValueError, match=r"head: expected a module with initialize, .* got Halfway without blended"):
        LearnedReducer(8, head=Halfway).fit(rows)


def test_a_trainer_of_ones_own_writes_nothing_where_nobody_asked(
    rows: Vectors, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    asked = ModelCheckpoint(tmp_path / "asked", "last", save_on_train_epoch_end=True)
    for callbacks in ({}, {"asked": asked}):
        trainer = partial(pl.Trainer, accelerator="cpu", devices=1, enable_progress_bar=False)
        LearnedReducer(4, max_steps=2, trainer=trainer, callbacks=callbacks).fit(rows)
    assert {one.parent.name for one in tmp_path.rglob("*.ckpt")} == {"asked"}
