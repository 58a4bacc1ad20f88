"""Judge by held-out rows how far toward its trained head a reducer may go."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from projhead.vectors import Vectors

#: Neighborhoods that count: the near one of ranking, and a wide one that bends first. As many at most and, as what is
#: near is a matter of how many there are, as large a share of all, but no fewer than the last says.
_NEIGHBORHOODS = ((10, 0.003, 3), (100, 0.02, 10))
#: A loss that chance does not explain weighs so much more than a gain.
_LOSS_WEIGHT = 3.0


class Judge:
    """Measure how much of the teacher's neighborhoods of some rows a head keeps.

    Parameters
    ----------
    asked : ndarray of shape (q, d), float32
        Unit rows that look for neighbors.
    documents : ndarray of shape (m, d), float32
        Unit rows among which they look; `asked` themselves where not given, each but for itself.
    widths : sequence of int
        Prefixes of the reduced rows that count, each for itself.
    """

    def __init__(self, asked: Vectors, documents: Vectors | None, widths: Sequence[int]) -> None:
        self.asked = torch.from_numpy(asked)
        self.documents = self.asked if documents is None else torch.from_numpy(documents)
        self.itself, self.widths = documents is None, widths
        n = len(self.documents)
        self.top_k = [min(most, max(round(share * n), least), n - 1) for most, share, least in _NEIGHBORHOODS]
        self.nearest = self._nearest(self.asked, self.documents)

    @torch.inference_mode()
    def __call__(self, head: nn.Module, stored: Callable[[Vectors], Vectors] | None = None) -> Vectors:
        """Return each row's overlap (widths, neighborhoods, q) with the teacher's nearest, reduced by a head.

        Documents are met as they are `stored`, where that is given: unit rows (m, k) to what is left of them.
        """
        asked, documents = head(self.asked), head(self.documents)
        return np.stack([self._kept(asked[:, :k], documents[:, :k], stored) for k in self.widths])

    def _kept(self, asked: Tensor, documents: Tensor, stored: Callable[[Vectors], Vectors] | None) -> Vectors:
        asked, documents = (nn.functional.normalize(rows, dim=1) for rows in (asked, documents))
        if stored is not None:
            documents = torch.from_numpy(stored(documents.numpy()))
        found = self._nearest(asked, documents)
        return np.stack([_shared(self.nearest[:, :k], found[:, :k]).numpy() for k in self.top_k])

    def _nearest(self, asked: Tensor, documents: Tensor) -> Tensor:
        """Return the numbers (q, top_k) of the nearest documents."""
        found = []
        for start in range(0, len(asked), 512):
            similarity = asked[start : start + 512] @ documents.T
            if self.itself:
                similarity.diagonal(start).fill_(-torch.inf)
            found.append(similarity.topk(self.top_k[-1]).indices)
        return torch.cat(found)


def choose(overlap: Vectors, forms: Sequence[int], recipe: int) -> tuple[int, Vectors]:
    """Return which of some candidates to take, and what each gains (candidates, widths, neighborhoods).

    A gain is over the better form of PCA, at each width and neighborhood. Best is the greatest on average, where a loss
    anywhere that is more than its standard error counts against it. The recipe's own candidate is taken unless the best
    is better by more than two standard errors (after Breiman et al., "Classification and Regression Trees", 1984): few
    rows say little, and many have said what the recipe is.

    Parameters
    ----------
    overlap : ndarray of shape (candidates, widths, neighborhoods, q)
        By row, so that differences are paired.
    forms : sequence of int
        Which candidates are PCA.
    recipe : int
        Which candidate is the recipe's.
    """
    baselines = overlap[list(forms)]
    best = baselines.mean(3).argmax(0)  # (widths, neighborhoods)
    gains = overlap - np.take_along_axis(baselines, best[None, :, :, None], axis=0)
    gain, doubt = gains.mean(3), _standard_error(gains)
    score = (gain.mean(2) + _LOSS_WEIGHT * np.minimum(gain + doubt, 0).min(2)).mean(1)  # of several widths the mean
    taken = int(score.argmax())
    ahead = (overlap[taken] - overlap[recipe]).mean((0, 1))  # (q,)
    return (taken if score[taken] - score[recipe] > 2 * _standard_error(ahead) else recipe), gain


def _standard_error(items: Vectors) -> Vectors:
    error: Vectors = items.std(-1) / items.shape[-1] ** 0.5
    return error


def _shared(one: Tensor, other: Tensor) -> Tensor:
    """Return the share (q) of numbers (q, k) that both have."""
    both = torch.cat([one, other], dim=1).sort(dim=1).values
    return (both[:, 1:] == both[:, :-1]).sum(1) / one.shape[1]
