"""PCA scaled by a power of the variances, chosen on held-out rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

import numpy as np
from numpy.typing import ArrayLike

from projhead.reducers.base import Reducer
from projhead.reducers.held_out import held_out_overlap, hold_out
from projhead.reducers.pca import PCA
from projhead.reducers.spectrum import one_pass
from projhead.settings.ranges import Count, Seed
from projhead.training.samplers import Rows
from projhead.vectors import Vectors, unit_rows


class PCAPower(Reducer):
    """PCA whose component i is scaled by ``variance_i ** (-power / 2)``, the power and centering chosen by overlap.

    0 is plain PCA, 1 whitens (Su et al., "Whitening Sentence Representations for Better Semantics and Faster
    Retrieval", 2021), what lies between whitens partly, and below 0 the large directions count more. The choice is
    the one that keeps most of the 10 nearest neighbors among rows that the PCA has not seen, at this width. Li et al.,
    "Spectral Tempering for Embedding Compression in Dense Passage Retrieval", 2026, read it off the spectrum, and hold
    that to such a search.

    Parameters
    ----------
    n_components : int, default=128
        Reduced width k.
    powers : sequence of float
        What is tried, each centered and uncentered.
    max_rows : int
        Rows that the choice is made on, at most; the final PCA is of all.
    random_state : int, default=0
        Seed of which rows those are.

    Attributes
    ----------
    power_, center_ : float, bool
        What was chosen; of equal ones the first.
    components_, mean_, explained_variance_, explained_variance_ratio_
        As in `PCA`; components are scaled.
    """

    kind = "pca_power"
    role = "baseline"

    def __init__(
        self,
        n_components: Count = 128,
        *,
        powers: Sequence[float] = (0.0, 0.25, 0.5, 0.75, 1.0, -0.25, -0.5),
        max_rows: Count = 20_000,
        random_state: Seed = 0,
    ) -> None:
        self.n_components = n_components
        self.powers = powers
        self.max_rows = max_rows
        self.random_state = random_state

    def fit(self, X: ArrayLike, y: object = None) -> Self:
        """Fit on rows (n, d), float, which are made unit length; `y` is not used.

        Raises
        ------
        ValueError
            If there are fewer rows or columns than components, values are not finite, or there are no powers.
        """
        rows = self._checked(X, reset=True)
        if not self.powers:
            raise ValueError("powers: expected at least one to choose from, got none")
        kept, held_out = hold_out(rows, self.max_rows, self.random_state)
        with one_pass():
            best = self._choose(kept, held_out)
            pca = PCA(self.n_components, center=self.center_).fit(rows)
        self.explained_variance_ = pca.explained_variance_
        self.explained_variance_ratio_ = pca.explained_variance_ratio_
        self._training = {"held-out overlap@10": best}
        return self._set_linear(pca.components_ * _scale(pca, self.power_)[:, None], pca.mean_)

    def _choose(self, kept: Rows, held_out: Vectors) -> float:
        """Set the power and centering that keep most of held-out rows' neighbors; return how much."""
        best = -1.0
        for center in (False, True):
            pca = PCA(min(self.n_components, len(kept)), center=center).fit(kept)
            scores = (held_out - (0 if pca.mean_ is None else pca.mean_)) @ pca.components_.T
            for power in self.powers:
                overlap = held_out_overlap(held_out, unit_rows(scores * _scale(pca, power)))
                if overlap > best:
                    best, self.power_, self.center_ = overlap, float(power), center
        return best


def _scale(pca: PCA, power: float) -> np.ndarray:
    """Return what each component is multiplied by; a direction without variance stays as it is."""
    variance = pca.explained_variance_
    return np.where(variance > 1e-12, variance, 1.0) ** (-power / 2)
