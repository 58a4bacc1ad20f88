"""Principal component analysis: centered, uncentered and whitened, streamed."""

from __future__ import annotations

from typing import Self

import numpy as np
from numpy.typing import ArrayLike

from projhead.reducers.base import Reducer
from projhead.reducers.spectrum import Spectrum, spectrum
from projhead.settings.ranges import Count, Fraction


class PCA(Reducer):
    """Principal components of unit rows, in the time of scikit-learn's or less.

    Up to width 512, and where many components are asked for, equal to full PCA. Of wider rows the axes keep at least
    99.9% of the variance that the best keep (97% of noise, whose axes are all alike): see `shortfall_`. Memory does not
    grow with n. Centered is what scikit-learn and FAISS do; uncentered (Eckart and Young, 1936) is
    sentence-transformers' recipe; whitening (Su et al., "Whitening Sentence Representations for Better Semantics and
    Faster Retrieval", 2021) divides each component by its standard deviation.

    Parameters
    ----------
    n_components : int, float or None, default=128
        Reduced width k; as many as explain this share of the variance, in (0, 1); or all that there are.
    center : bool, default=True
        Whether the mean is taken off first.
    whiten : bool, default=False
        Whether components are scaled to unit variance.

    Attributes
    ----------
    components_ : ndarray of shape (k, d), float64
        Principal axes, by falling variance; the largest entry of each is positive. Whitened ones are scaled.
    mean_ : ndarray of shape (d,), float64, or None
        What is taken off.
    explained_variance_ : ndarray of shape (k,), float64
        Variance along each axis (mean square where uncentered), with n - 1 degrees of freedom where centered.
    explained_variance_ratio_ : ndarray of shape (k,), float64
        The same as a share of the whole.
    shortfall_ : float
        Of the variance along the components, the share that the best axes may have beyond it, by the residuals. 0 where
        all was decomposed.
    n_components_ : int
        The width k that was taken.

    Examples
    --------
    >>> import numpy as np
    >>> from projhead import PCA
    >>> X = np.random.default_rng(0).normal(size=(200, 32))
    >>> PCA(8).fit_transform(X).shape
    (200, 8)
    >>> bool(PCA(0.5).fit(X).explained_variance_ratio_.sum() > 0.5)
    True
    """

    role = "baseline"

    @property
    def kind(self) -> str:  # type: ignore[override]
        """The name of this form in tables."""
        return "pca" + ("" if self.center else "_uncentered") + ("_whitened" if self.whiten else "")

    def __init__(
        self, n_components: Count | Fraction | None = 128, *, center: bool = True, whiten: bool = False
    ) -> None:
        self.n_components = n_components
        self.center = center
        self.whiten = whiten

    def fit(self, X: ArrayLike, y: object = None) -> Self:
        """Fit on rows (n, d), float, which are made unit length; `y` is not used.

        Raises
        ------
        ValueError
            If there are fewer rows or columns than components, or values are not finite.
        """
        rows = self._checked(X, reset=True, finite=False)
        n = len(rows)
        if isinstance(self.n_components, int | np.integer) and n < self.n_components:
            raise ValueError(f"n_components: expected at most n_samples = {n} rows, got {self.n_components}")
        known = spectrum(rows)
        k = _width(self.n_components, known, self.center)
        self.explained_variance_, components = known.principal(k, center=self.center)
        self.shortfall_ = known.missed[self.center]
        total = known.variance(center=self.center)
        self.explained_variance_ratio_ = self.explained_variance_ / (total or 1.0)
        if self.whiten:
            scale = np.sqrt(self.explained_variance_)
            # A direction without variance says nothing: it stays as it is rather than blow up.
            components = components / np.where(scale > 1e-6 * scale[0], scale, 1.0)[:, None]
        return self._set_linear(components, known.mean if self.center else None)


def _width(asked: int | float | None, known: Spectrum, center: bool) -> int:
    """Return the number of components that is asked for: itself, all, or what explains a share of the variance."""
    if isinstance(asked, int | np.integer):
        return int(asked)
    most: int = min(known.n, known.d)
    if asked is None:
        return most
    if asked >= 1:
        raise ValueError(f"n_components: got {asked}, expected a whole number, or a share between 0 and 1")
    share = known.principal(most, center=center)[0] / (known.variance(center=center) or 1.0)
    enough: int = int(np.searchsorted(share.cumsum(), asked, side="right")) + 1
    return min(enough, most)
