"""Choose steps, widths and rates of a training by its rows and its purpose."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

#: What a head is for: rows that are yet to come, or those very rows, searched.
PURPOSES = ("unseen", "index")
#: Share of the dimensions up to which a head is learned at the full rate, from many documents and for long.
_SMALL = 1 / 6
#: Documents from which a step chooses, where there are more than twice as many.
_POOL = 12_288


class Recipe(NamedTuple):
    """The settings of a fit that the caller leaves open.

    Attributes
    ----------
    purpose : {"unseen", "index"}
    hidden_features : int
        Hidden width of the head; 0 where it has none.
    lr : float
        Learning rate.
    max_steps : int
    teacher_temperatures, weights : list of float
        Of the loss: how near the neighbors are that count, and what each counts.
    n_queries, n_anchors, n_documents, document_pool : int
        Queries, compared documents and documents of a step, and documents from which these are chosen.
    blend : float
        How far the head goes from its start to what training made of it.
    """

    purpose: str
    hidden_features: int
    lr: float
    max_steps: int
    teacher_temperatures: list[float]
    weights: list[float]
    n_queries: int
    n_anchors: int
    n_documents: int
    document_pool: int
    blend: float

    def __str__(self) -> str:
        """Say it in words."""
        what = "rows to come" if self.purpose == "unseen" else "the rows that are searched"
        hidden = f", hidden width {self.hidden_features}" if self.hidden_features else ""
        return f"for {what}: {self.max_steps} steps at {self.lr:.1e}{hidden}"


def make_recipe(purpose: str | None, n: int, q: int, share: float) -> Recipe:
    """Return the recipe for n rows, q query-like rows and a share k / d of the dimensions.

    Rows to come are met by what few rows cannot teach: the fewer there are, the nearer the head stays to its start, and
    wide neighborhoods count too. Rows that are searched are learned as hard as pays; the more dimensions are kept, the
    nearer the start is to what is sought, and the fewer and smaller the steps that still come nearer.

    Parameters
    ----------
    purpose : {"unseen", "index"}, optional
        "index" where there are queries and "unseen" where there are none, if not given.

    Raises
    ------
    ValueError
        If there is no such purpose.
    """
    if purpose not in (None, *PURPOSES):
        raise ValueError(f"purpose: expected one of {', '.join(PURPOSES)}, or None to follow the data, got {purpose!r}")
    if purpose == "unseen" or (purpose is None and not q):
        root = n**0.5
        return Recipe(
            "unseen", _hidden(16 * root), min(2e-3, 1e-5 * root), round(_within(60, 2 * root, 400)),
            [0.05, 0.2], [1.0, 10.0], n_queries=256, n_anchors=round(_within(256, n / 8, 512)), n_documents=2048,
            document_pool=0, blend=n / (n + 1000),
        )  # fmt: skip
    root = (n + q) ** 0.5
    lr, width = _within(1e-3, 2e-5 * root, 4e-3), _hidden(22 * root)
    # Of a large corpus random documents are hardly near to a query: a step chooses from many, and fewer steps do.
    chosen = n > 2 * _POOL and q > 0
    pool = _POOL if chosen else 0
    if share > _SMALL:
        return Recipe(
            "index", width, lr * (1 / (12 * share)) ** 0.5, round(_within(150, 3.2 * root, 600)),
            [0.05], [1.0], n_queries=512, n_anchors=128, n_documents=1024, document_pool=pool, blend=1.0,
        )  # fmt: skip
    return Recipe(
        "index", width, lr, round(_within(150, 4.3 * root, 800) * (5 / 8 if chosen else 1)),
        [0.05], [1.0], n_queries=512, n_anchors=256, n_documents=2048, document_pool=pool, blend=1.0,
    )  # fmt: skip


def filled(make: Callable[..., Any], **values: Any) -> Callable[..., Any]:
    """Return a callable with those of the values that it takes and leaves open: None, or Lightning's -1."""
    parameters = inspect.signature(make).parameters
    left = {name for name, one in parameters.items() if one.default is None or one.default == -1}
    return partial(make, **{name: value for name, value in values.items() if name in left})


def _hidden(width: float) -> int:
    return 64 * round(_within(512, width, 4096) / 64)


def _within(least: float, value: float, most: float) -> float:
    return max(least, min(value, most))


def settled(make: Callable[..., Any] | None, name: str) -> dict[str, Any]:
    """Return an argument of the recipe that what makes a head, an optimizer or a trainer has settled; 0 where none."""
    if make is None:
        return {}
    parameters = inspect.signature(make).parameters
    if name not in parameters:
        return {name: 0}
    default = parameters[name].default
    return {} if default in (None, inspect.Parameter.empty) else {name: default}
