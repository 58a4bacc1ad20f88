"""Fit a head, and keep as much of it as rows that it did not learn from support."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from projhead.reducers.given import Given, Rows
from projhead.reducers.head_training import train_head
from projhead.reducers.start import Tried, blended, candidates, measured, shares_of, start_of, way_to
from projhead.training.recipe import Recipe
from projhead.vectors import Vectors, unit_rows

if TYPE_CHECKING:
    from torch import nn

    from projhead.training.guard import Judge

#: With fewer rows none can be spared to judge by.
_FEW = 100
#: Below this every row is needed: parts are held out in turn, and the head is trained once more on all.
_SPARE = 10_000
#: Of these parts are thirds, as many in turn as give so many rows to judge by, and a fifth from there on.
_THIRDS, _ENOUGH = 3000, 600
#: From here on PCA knows no row by heart.
_MANY = 100_000
#: Rows that judge, and documents among which queries are judged, at most.
JUDGING, _AMONG = 2000, 20_000


class Kept(NamedTuple):
    """The head that is kept, its numbers, its validations, its provenance, and a summary."""

    head: nn.Module
    numbers: dict[str, Any]
    history: list[dict[str, float]]
    made_by: dict[str, Any]
    summary: str


def fit_guarded(how: Any, given: Given, recipe: Recipe, resume: str | Path | None = None) -> Kept:
    """Train a head, and keep as much of what it learned as serves rows that it did not learn from.

    Parameters
    ----------
    how : LearnedReducer
        Its arguments say what is trained and how; with ``blend`` that much is kept, unasked.
    given : Given
    recipe : Recipe
        For all that the arguments leave open.
    resume : path, optional
        A checkpoint.
    """
    from projhead.training.guard import Judge

    widths, seed = [int(width) for width in (how.n_components, *how.nested)], how.random_state
    judged = []
    unseen = given.queries is None and recipe.purpose == "unseen"
    centered = len(given.rows) > 1.5 * how.n_components  # of which two thirds are still enough
    held_out = _validating(how, given, recipe)
    if how.blend is None and unseen and _FEW <= len(given.pool) < _SPARE:
        for part, rest in _folds(given.rows, seed):
            start = start_of(rest, how.n_components)
            learned = Given(rest, None, given.pairs)
            trained = train_head(how, learned, recipe, start, held_out[:0], alone=True)
            judge = Judge(unit_rows(part), None, widths)
            judged.append(measured(judge, _tried(how, trained.head, learned, start, recipe, centered)))
    # PCA that has seen the rows that judge keeps what it learned of them by heart, and would win by it.
    blind = unseen and how.blend is None and len(held_out) > 0 and len(given.rows) < _MANY
    known = given._replace(rows=np.delete(given.rows, held_out, axis=0)) if blind else given
    start = start_of(known.rows, how.n_components)
    trained = train_head(how, given, recipe, start, held_out, resume=resume)
    tried = _tried(how, trained.head, known, start, recipe, centered)
    if how.blend is None and not judged and len(given.pool) >= _FEW:
        judged.append(measured(judge_of(given, held_out, widths, seed), tried))
    taken, gain, why = _chosen(how, recipe, tried, judged)
    if blind and tried[taken].is_pca:  # it was judged blind, and need not stay so
        tried = _tried(how, trained.head, given, start_of(given.rows, how.n_components), recipe, centered)
    numbers = trained.numbers | gain | {"purpose": recipe.purpose, "kept": taken}
    summary = f"{trained.ending}; kept {taken}: {why}"
    return Kept(tried[taken].head, numbers, trained.history, trained.made_by, summary)


def drawn(rows: Rows, size: int, seed: int) -> NDArray[np.int64]:
    """Return the numbers of a random choice of rows, sorted; none where that would be too few to say anything."""
    order = np.random.default_rng(seed).permutation(len(rows))
    return np.sort(order[: size if size > 20 else 0])


def _validating(how: Any, given: Given, recipe: Recipe) -> NDArray[np.int64]:
    """Return the numbers of the rows that validate, and judge where they can be spared.

    Rows that will be searched are all trained on, and judge themselves.
    """
    n, unseen = len(given.pool), given.queries is None and recipe.purpose == "unseen"
    if how.blend is not None:
        return drawn(given.pool, min(how.validation_rows, n // 20), how.random_state)
    spared = given.queries is not None or (unseen and n >= _SPARE)
    return drawn(given.pool, min(JUDGING, n // (10 if unseen else 20)) if spared else 0, how.random_state)


def _tried(
    how: Any, trained: nn.Module, given: Given, start: NDArray[Any], recipe: Recipe, centered: bool
) -> dict[str, Tried]:
    """Return what may be kept, by name."""
    if how.blend is not None:
        return blended(trained, start, [recipe.blend])
    return candidates(trained, given, start, shares_of(recipe.blend), centered=centered)


def _chosen(
    how: Any, recipe: Recipe, tried: dict[str, Tried], judged: list[Vectors]
) -> tuple[str, dict[str, float], str]:
    """Return the name of the candidate to keep, its gains, and the reason."""
    from projhead.training.guard import choose

    names, taken = list(tried), way_to(recipe.blend)
    if not judged:
        return taken, {}, "as asked" if how.blend is not None else "too few rows to judge by"
    forms = [i for i, one in enumerate(tried.values()) if one.is_pca]
    best, gains = choose(np.concatenate(judged, axis=3), forms, names.index(taken))
    near, wide = gains[best].mean(0)
    why = f"{100 * near:+.1f} points of near and {100 * wide:+.1f} of wide neighborhoods against the best PCA"
    return names[best], {"gain, near": float(near), "gain, wide": float(wide)}, why


def judge_of(given: Given, held_out: NDArray[np.int64], widths: list[int], seed: int) -> Judge:
    """Return what judges one head: held-out rows where there are any, the rows themselves where not."""
    from projhead.training.guard import Judge

    if given.queries is None:
        numbers = held_out if len(held_out) else drawn(given.rows, min(2 * JUDGING, len(given.rows)), seed)
        return Judge(unit_rows(given.rows[numbers]), None, widths)
    numbers = held_out if len(held_out) else drawn(given.queries, min(JUDGING, len(given.queries)), seed)
    documents = drawn(given.rows, min(_AMONG, len(given.rows)), seed)
    return Judge(unit_rows(given.queries[numbers]), unit_rows(given.rows[documents]), widths)


def _folds(rows: Rows, seed: int) -> Iterator[tuple[Rows, Rows]]:
    """Yield (part, rest) of the rows: thirds in turn where there are few, one fifth where there are more."""
    n = len(rows)
    order = np.random.default_rng(seed).permutation(n)
    thirds = np.array_split(order, 3)[: -(-3 * _ENOUGH // n)]
    for part in thirds if n < _THIRDS else [order[: n // 5]]:
        yield rows[np.sort(part)], rows[np.setdiff1d(order, part)]
