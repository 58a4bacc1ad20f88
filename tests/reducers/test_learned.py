from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import ModelCheckpoint
from tests.conftest import edit

from projhead.codecs.binary import Binary
from projhead.codecs.pq import ProductQuantizer
from projhead.encoders.lifted import lifted
from projhead.heads.linear import Linear
from projhead.heads.residual_mlp import ResidualMLP
from projhead.reducers.base import Reducer, load_reducer
from projhead.reducers.learned import LearnedReducer
from projhead.reducers.pca import PCA
from projhead.vectors import Vectors, exact_top_k, neighbor_overlap, unit_rows


def test_it_keeps_more_neighbors_than_every_pca_form(rows: Vectors) -> None:
    train, test = rows[:450], rows[450:]

    def overlap(reducer: object) -> float:
        return float(neighbor_overlap(test, reducer.fit(train).transform(test), [10]).mean())  # type: ignore[attr-defined]

    best = max(overlap(PCA(4)), overlap(PCA(4, center=False)), overlap(PCA(4, whiten=True)))
    assert overlap(LearnedReducer(4, max_steps=150)) > best + 0.02


def test_queries_move_the_head_toward_their_own_neighbors() -> None:
    # Documents vary alike in all directions, queries ask about four of them: only queries can tell which matter.
    generator = np.random.default_rng(1)
    documents = unit_rows(generator.normal(size=(400, 32)))
    asked = generator.normal(size=(500, 32)) * np.array([1.0] * 4 + [0.05] * 28)
    unseen, seen = unit_rows(asked[:100]), unit_rows(asked[100:])

    def kept(reducer: LearnedReducer) -> float:
        _, true = exact_top_k(unseen, documents, 10)
        _, found = exact_top_k(reducer.transform(unseen), reducer.transform(documents), 10)
        return float(np.mean([len(set(a) & set(b)) / 10 for a, b in zip(true, found, strict=True)]))

    alone, asking = (LearnedReducer(4, max_steps=100, blend=1.0) for _ in range(2))  # as trained, without the guard
    assert kept(asking.fit(documents, queries=seen)) > kept(alone.fit(documents)) + 0.2


def test_where_lengths_matter_the_guard_knows_the_pca_that_keeps_them() -> None:
    generator = np.random.default_rng(0)
    documents = generator.normal(size=(400, 48)) * generator.uniform(0.3, 1, size=(400, 1))
    asked = lifted(generator.normal(size=(800, 48)).astype(np.float32), 30, documents=False)
    rows = lifted(documents.astype(np.float32), 30, documents=True)
    reducer = LearnedReducer(24, max_steps=1).fit(rows, queries=asked)
    assert "; kept PCA (uncentered): " in reducer.summary_
    pca = PCA(24, center=False).fit(rows)
    np.testing.assert_allclose(reducer.transform(rows), pca.transform(rows), atol=1e-5)


def test_a_nested_head_serves_its_widths_from_one_fit(rows: Vectors, tmp_path: Path) -> None:
    train, test = rows[:450], rows[450:]

    def overlap(reducer: Reducer) -> float:
        return float(neighbor_overlap(test, reducer.transform(test), [10]).mean())

    nested = LearnedReducer(16, nested=[4], max_steps=100).fit(train)
    narrow = nested.prefix(4)
    np.testing.assert_allclose(narrow.transform(test), unit_rows(nested.transform(test)[:, :4]), atol=1e-5)
    untold = unit_rows(LearnedReducer(16, max_steps=100).fit(train).transform(test)[:, :4])
    assert overlap(narrow) > neighbor_overlap(test, untold, [10]).mean() + 0.02
    assert overlap(narrow) > overlap(PCA(4, center=False).fit(train)) + 0.01
    narrow.save(tmp_path)
    np.testing.assert_array_equal(load_reducer(tmp_path).transform(test), narrow.transform(test))
    with pytest.raises(ValueError, match=r"expected 16 or one of nested = \[4\].*got 8; train again with nested=\[8\]"):
        nested.prefix(8)
    with pytest.raises(ValueError, match=r"nested: expected widths from 1 to 15, got \[16\]"):
        LearnedReducer(16, nested=[16]).fit(train)


def test_the_same_seed_gives_the_same_head_and_leaves_the_callers_randomness_alone(rows: Vectors) -> None:
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    first = LearnedReducer(4, max_steps=5).fit(rows).transform(rows)
    torch.testing.assert_close(torch.rand(1), expected)
    np.testing.assert_array_equal(LearnedReducer(4, max_steps=5).fit(rows).transform(rows), first)
    assert not np.allclose(LearnedReducer(4, max_steps=5, random_state=1).fit(rows).transform(rows), first, atol=1e-4)


def _reducer(folder: Path, max_steps: int, stop_after: int) -> LearnedReducer:
    return LearnedReducer(
        4,
        head=partial(Linear, bias=False),
        blend=1.0,
        steps_per_epoch=10,
        trainer=partial(
            pl.Trainer,
            max_steps=max_steps,
            enable_progress_bar=False,
            enable_model_summary=False,
            logger=False,
        ),
        callbacks={
            "best": ModelCheckpoint(folder, "best", "val/overlap@10", mode="max", save_on_train_epoch_end=False),
            "last": ModelCheckpoint(folder, "last", enable_version_counter=False, save_on_train_epoch_end=True),
            "stop": _StopAfter(stop_after),
        },
    )


class _StopAfter(pl.Callback):
    """Interrupt a fit, as a kill does, after an epoch's checkpoint is written."""

    def __init__(self, steps: int) -> None:
        self.steps = steps

    def on_train_batch_start(self, trainer: pl.Trainer, *args: object) -> None:
        if trainer.global_step == self.steps:
            raise InterruptedError


def test_an_interrupted_fit_goes_on_to_the_same_head(rows: Vectors, tmp_path: Path) -> None:
    whole = _reducer(tmp_path / "whole", 40, -1).fit(rows)
    with pytest.raises(InterruptedError):
        _reducer(tmp_path / "cut", 40, 25).fit(rows)
    assert torch.load(tmp_path / "cut" / "last.ckpt", weights_only=True)["global_step"] == 20
    resumed = _reducer(tmp_path / "cut", 40, -1).fit(rows, resume=tmp_path / "cut" / "last.ckpt")
    np.testing.assert_allclose(resumed.transform(rows), whole.transform(rows), atol=1e-6)
    assert resumed.training_ == whole.training_


def test_the_best_checkpoint_is_kept(rows: Vectors, tmp_path: Path) -> None:
    reducer = _reducer(tmp_path, 30, -1).fit(rows)
    state = torch.load(tmp_path / "best.ckpt", weights_only=True)["state_dict"]
    torch.testing.assert_close(reducer.head_.projection.weight, state["head.projection.weight"])


def test_what_is_settled_by_the_caller_is_said(rows: Vectors) -> None:
    def said(**given: object) -> str:
        return LearnedReducer(4, max_steps=1, blend=1.0, **given).fit(rows).summary_  # type: ignore[arg-type]

    assert said().startswith("for rows to come: 1 steps at 2.4e-04, hidden width 512;")
    assert "hidden width 48;" in said(head=partial(ResidualMLP, hidden_features=48))
    assert "hidden" not in said(head=Linear)
    assert "at 3.0e-02" in said(optimizer=partial(torch.optim.AdamW, lr=3e-2))
    assert "at 2.4e-04" in said(optimizer=partial(torch.optim.AdamW, lr=None))


def test_judged_documents_move_up(rows: Vectors) -> None:
    queries, documents = rows[:40], rows[40:]
    # The fifth nearest of the teacher is said to be the answer.
    answers = exact_top_k(queries, documents, 5)[1][:, 4]
    pairs = np.stack([np.arange(40), answers], axis=1)

    def rank(**given: object) -> float:
        fitted = LearnedReducer(8, max_steps=60, label_margin=0.2).fit(documents, queries=queries, **given)
        scores = fitted.transform(queries) @ fitted.transform(documents).T
        return float((scores > scores[np.arange(40), answers, None]).sum(1).mean())

    assert rank(pairs=pairs) < 0.7 * rank()


@pytest.mark.parametrize("pairs", [[[0, 0, 0]], [[0.5, 1.0]], [[0, 10_000]], [[40, 0]], [[-1, 0]]])
def test_pairs_that_name_nothing_are_refused(rows: Vectors, pairs: list[list[float]]) -> None:
    with pytest.raises(ValueError, match="pairs: expected"):
        LearnedReducer(8, max_steps=1).fit(rows, queries=rows[:40], pairs=pairs)


def test_a_codec_that_does_not_fit_is_refused(rows: Vectors, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"nested: expected none with a codec, got \[4\]"):
        LearnedReducer(16, nested=[4], codec=Binary()).fit(rows)
    with pytest.raises(ValueError, match="pq_5: expected rows of a width that is a multiple of 5 bytes, got 16"):
        LearnedReducer(16, codec=ProductQuantizer(5)).fit(rows)
    LearnedReducer(16, codec=ProductQuantizer(4), max_steps=2).fit(rows).save(tmp_path)
    for changed, said in (
        ({"class": "projhead.codecs.pq.ProductQuantizer", "parameters": {"n_bytes": 8}}, "its codec does not fit"),
        ({"class": "projhead.heads.linear.Linear", "parameters": {}}, "expected one of projhead's codecs"),
    ):
        edit(tmp_path, "artifact", codec=changed)
        with pytest.raises(ValueError, match=said):
            load_reducer(tmp_path)


def test_it_says_what_every_check_saw_and_why_it_stopped(
    rows: Vectors, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fitted = LearnedReducer(4, max_steps=30, steps_per_epoch=10, blend=1.0, verbose=1).fit(rows)
    assert [check["step"] for check in fitted.history_] == [10, 20, 30]
    assert fitted.history_[-1]["overlap"] == pytest.approx(fitted.training_["val/overlap@10"])
    assert fitted.history_[-1]["loss"] < fitted.history_[0]["loss"]
    printed = capsys.readouterr()
    assert "all 30 steps, last kept" in printed.out
    assert "train: 100%" in printed.err
    quiet = _reducer(tmp_path, 40, -1)
    quiet.callbacks["early"] = _EndAfter(20)  # type: ignore[index]
    assert "stopped at 20 of 40 steps, best kept" in quiet.fit(rows).summary_
    assert "30" not in capsys.readouterr().err


class _EndAfter(pl.Callback):
    """Stop a fit early, as early stopping does."""

    def __init__(self, steps: int) -> None:
        self.steps = steps

    def on_train_batch_end(self, trainer: pl.Trainer, *args: object) -> None:
        trainer.should_stop = trainer.global_step >= self.steps
