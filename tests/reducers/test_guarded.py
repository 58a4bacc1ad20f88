from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pytest
import pytorch_lightning as pl
from numpy.testing import assert_allclose
from pytorch_lightning.callbacks import ModelCheckpoint

from projhead.heads.linear import Linear
from projhead.reducers import guarded
from projhead.reducers.learned import LearnedReducer
from projhead.reducers.pca import PCA
from projhead.reducers.start import Tried
from projhead.training.guard import Judge
from projhead.vectors import Vectors, unit_rows


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


@pytest.mark.parametrize(("many", "seen"), [(10_000, 270), (300, 300)])
def test_what_is_judged_has_not_seen_the_rows_that_judge(many: int, seen: int, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = unit_rows(np.random.default_rng(0).normal(size=(300, 48)))
    monkeypatch.setattr(guarded, "_SPARE", 300)
    monkeypatch.setattr(guarded, "_MANY", many)
    name, judged, measure = "PCA (centered)", [], guarded.measured

    def watched(judge: Judge, tried: dict[str, Tried]) -> Vectors:
        judged.append((judge.asked.numpy(), tried[name].head.projection.weight.numpy()))
        return measure(judge, tried)

    monkeypatch.setattr(guarded, "measured", watched)
    monkeypatch.setattr(guarded, "_chosen", lambda *_: (name, {}, ""))
    kept = LearnedReducer(8, max_steps=1).fit(rows).head_
    [(asked, blind)] = judged
    rest = rows[(rows @ asked.T).max(1) < 0.999]
    assert len(asked) == 300 - len(rest) == 30
    assert_allclose(blind, PCA(8).fit(rest if seen == 270 else rows).components_, atol=1e-5)
    assert_allclose(kept.projection.weight.numpy(), PCA(8).fit(rows).components_, atol=1e-5)


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
