"""Fit a codec to what a trained head makes of rows, and tune both together as far as held-out rows support it."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from copy import copy
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from projhead.codecs.base import BaseCodec, fitted_copy, sample_rows
from projhead.reducers.given import Given
from projhead.reducers.guarded import JUDGING, drawn, judge_of
from projhead.reducers.head_training import train_head
from projhead.training.recipe import Recipe
from projhead.vectors import Vectors, unit_rows

if TYPE_CHECKING:
    from torch import nn

#: Steps and rate of a tuning: both are near already. A step compares fewer rows, as coding them costs more.
_STEPS, _RATE = 200, 3e-4
_QUERIES, _ANCHORS, _DOCUMENTS = 512, 256, 1024


class Coded(NamedTuple):
    """A head and the codec of its rows, what tuning them gained, and a summary."""

    head: nn.Module
    codec: BaseCodec
    numbers: dict[str, float]
    summary: str


def fit_codec(how: Any, given: Given, recipe: Recipe, head: nn.Module, codec: BaseCodec) -> Coded:
    """Return a trained head and a copy of a codec that fit each other.

    A head that is trained first and coded then keeps more than one that meets its codec from the start, where what is
    lost by codes hides what is lost by the head. Tuning adds a little where a codec can be trained through.

    Parameters
    ----------
    how : LearnedReducer
        Its arguments say how both are tuned.
    given : Given
    recipe : Recipe
        Of the head's training.
    head : Module
        Trained.
    codec : BaseCodec
    """
    fitted = fitted_copy(codec, _reduced(head, given.rows))
    held_out = drawn(given.pool, min(JUDGING, len(given.pool) // 10), how.random_state)
    start, fake = fitted, fitted.fake_quantized()
    if fake is not None and given.queries is None:
        # Centroids learn rows by heart: fitted to those that judge, they would seem a point better than they are.
        start = fitted_copy(codec, _reduced(head, given.rows, without=held_out))
        fake = start.fake_quantized()
    if fake is None or not len(held_out):
        return Coded(head, fitted, {}, f"{fitted.name} fitted to it")
    judge = judge_of(given, held_out, [how.n_components], how.random_state)
    before = judge(head, _stored(start, how.raw_codes))
    short = recipe._replace(
        lr=min(_RATE, recipe.lr), max_steps=min(_STEPS, recipe.max_steps),
        n_queries=min(_QUERIES, recipe.n_queries), n_anchors=min(_ANCHORS, recipe.n_anchors),
        n_documents=min(_DOCUMENTS, recipe.n_documents), document_pool=0,
    )  # fmt: skip
    tuned = train_head(_tuning(how, short), given, short, head, held_out, fake=fake, alone=True).head
    learned = copy(start).load_trained(fake)
    gain = (judge(tuned, _stored(learned, how.raw_codes)) - before).mean((0, 2))  # of neighborhoods, the near one first
    said = f"{100 * gain[0]:+.1f} points of near and {100 * gain[1]:+.1f} of wide neighborhoods"
    if gain.mean() <= 0:
        return Coded(head, fitted, {}, f"{fitted.name} fitted to it, tuning both gave {said}")
    numbers = {"gain of tuned codes, near": float(gain[0]), "gain of tuned codes, wide": float(gain[1])}
    return Coded(tuned, learned, numbers, f"{fitted.name} fitted to it, and both tuned: {said}")


def _tuning(how: Any, recipe: Recipe) -> Any:
    """Return the arguments of a fit with the rate and the steps of its tuning, where others were asked of the fit."""
    tuning = copy(how)
    for name, argument in (("optimizer", "lr"), ("trainer", "max_steps")):
        make = getattr(how, name)
        if make is not None and argument in inspect.signature(make).parameters:
            setattr(tuning, name, partial(make, **{argument: getattr(recipe, argument)}))
    return tuning


def _stored(codec: BaseCodec, raw: bool) -> Callable[[Vectors], Vectors]:
    """Return what makes of rows what a codec says of them, at unit length or as it stands."""
    if raw:
        return lambda rows: codec._decode(codec.encode(rows))
    return lambda rows: codec.decode(codec.encode(rows))


def _reduced(head: nn.Module, rows: NDArray[Any], without: NDArray[np.int64] | None = None) -> Vectors:
    """Return what a head makes of as many rows as a codec needs."""
    import torch

    rows = sample_rows(rows, without)
    with torch.inference_mode():
        return unit_rows(head(torch.from_numpy(unit_rows(rows))).numpy())
