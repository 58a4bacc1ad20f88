"""The start of a head's training, and the points from there to its end that are tried."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from projhead.reducers.given import Given, Rows
from projhead.reducers.pca import PCA
from projhead.reducers.spectrum import spectrum
from projhead.vectors import Vectors

if TYPE_CHECKING:
    from torch import nn

    from projhead.heads.linear import Linear
    from projhead.training.guard import Judge

#: Power that axes of very few rows are scaled by, as `PCAPower` has it.
_TEMPERING = 0.15


def start_of(rows: Rows, k: int) -> NDArray[np.float64]:
    """Return the axes (k, d) of most variance about the mean, through the origin: the mean is not taken off.

    The uncentered PCA spends axes on the mean, which near neighborhoods do not need; the centered one takes the mean
    off, which wide ones miss. Few rows make large variances larger than they are (Marchenko and Pastur, 1967): the
    fewer, the more axes are scaled toward each other. Directions beyond the rows stay zero.
    """
    (n, d), found = rows.shape, min(k, len(rows) - 1)
    variance, axes = spectrum(rows).principal(found, center=True)
    power = _TEMPERING * (1 - k / d) * 1000 / (n + 1000)  # all axes together are the teacher's rows as they are
    weight, scale = np.zeros((k, d)), ((n - 1) / n * variance).clip(min=1e-12) ** (-power / 2)
    weight[:found] = axes * scale[:, None]
    return weight


def shares_of(recipe: float) -> list[float]:
    """Return the shares of the way to the trained head that are tried: the recipe's, smaller and larger ones."""
    return [recipe * 0.25, recipe * 0.5, recipe * 0.75, recipe, *((1 + recipe) / 2, 1.0)[: 2 * (recipe < 0.99)]]


class Tried(NamedTuple):
    """A head that may be kept, and whether it is PCA."""

    head: nn.Module
    is_pca: bool = False


def candidates(
    trained: nn.Module, given: Given, start: NDArray[Any], shares: Sequence[float], *, centered: bool
) -> dict[str, Tried]:
    """Return by name the forms of PCA, the centered one where wanted, and points on the way to the trained head."""
    from projhead.heads.rotation import Rotation

    blends = blended(trained, start, shares)
    if isinstance(trained, Rotation):  # and nothing else
        return {"PCA (through the origin)": Tried(_at(trained, start, 0), True), **blends}
    forms = {"PCA (through the origin)": Tried(linear_head(start), True)}
    if given.lifted:  # their mean, of which the start has no axis, is how long they are
        forms["PCA (uncentered)"] = Tried(PCA(len(start), center=False).fit(given.rows).head_, True)
    if centered:
        forms["PCA (centered)"] = Tried(PCA(len(start)).fit(given.rows).head_, True)
    return forms | blends


def blended(trained: nn.Module, start: NDArray[Any], shares: Sequence[float]) -> dict[str, Tried]:
    """Return by name points on the line from the start (k, d) to the trained head."""
    return {way_to(share): Tried(_at(trained, start, share)) for share in shares}


def way_to(share: float) -> str:
    """Name a point on the line from the start to the trained head."""
    return f"{share:.0%} of the way to the trained head"


def _at(trained: nn.Module, start: NDArray[Any], share: float) -> nn.Module:
    import torch

    point: nn.Module = trained.blended(torch.from_numpy(start).float(), share)  # type: ignore[operator]
    return point


def linear_head(weight: NDArray[Any]) -> Linear:
    """Return a linear map (k, d) as a head."""
    import torch

    from projhead.heads.linear import Linear

    head = Linear(weight.shape[1], weight.shape[0])
    head.initialize(torch.from_numpy(weight).float())
    return head.requires_grad_(False)


def measured(judge: Judge, tried: dict[str, Tried]) -> Vectors:
    """Return what each candidate keeps (candidates, widths, neighborhoods, rows)."""
    return np.stack([judge(one.head) for one in tried.values()])
