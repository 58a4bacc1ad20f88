"""Principal component analysis in its three forms, streamed."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from projhead.reducers.base import Reducer, blocks
from projhead.settings.ranges import Count, Fraction


class PCA(Reducer):
    """Principal components of unit rows, by one float64 pass over the Gram matrix.

    Equal to full PCA to about 1e-14, in memory that does not grow with n. Centered is what scikit-learn and FAISS
    do; uncentered (Eckart and Young, 1936) is sentence-transformers' recipe; whitening (Su et al., "Whitening
    Sentence Representations for Better Semantics and Faster Retrieval", 2021) divides each component by its
    standard deviation.

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
    n_components_ : int
        The width k that was taken.
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
        rows = self._checked(X, reset=True)
        n = len(rows)
        if isinstance(self.n_components, int | np.integer) and n < self.n_components:
            raise ValueError(f"n_components: expected at most n_samples = {n} rows, got {self.n_components}")
        total, gram = moments(rows)
        mean = total / n if self.center else None
        covariance = gram / n if mean is None else (gram - n * np.outer(mean, mean)) / max(n - 1, 1)
        variance, axes = np.linalg.eigh(covariance)
        variance = variance[::-1].clip(min=0)
        share = variance / (variance.sum() or 1.0)
        k = _width(self.n_components, share, n)
        self.explained_variance_, self.explained_variance_ratio_ = variance[:k], share[:k]
        components = axes.T[::-1][:k]
        largest = np.take_along_axis(components, np.abs(components).argmax(1, keepdims=True), axis=1)
        components = components * np.where(largest < 0, -1.0, 1.0)
        if self.whiten:
            scale = np.sqrt(self.explained_variance_)
            # A direction without variance says nothing: it stays as it is rather than blow up.
            components = components / np.where(scale > 1e-12, scale, 1.0)[:, None]
        return self._set_linear(components, mean)


def moments(rows: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the sum (d,) and the Gram matrix (d, d) of rows (n, d) at unit length, in one pass."""
    d = rows.shape[1]
    total, gram = np.zeros(d), np.zeros((d, d))
    for _, part in blocks(rows):
        exact = part.astype(np.float64)
        total += exact.sum(0)
        gram += exact.T @ exact
    return total, gram


def _width(asked: int | float | None, share: NDArray[np.float64], n: int) -> int:
    """Return the number of components that is asked for: itself, all, or what explains a share of the variance."""
    most = min(n, len(share))
    if asked is None:
        return most
    if isinstance(asked, int | np.integer):
        return int(asked)
    if asked >= 1:
        raise ValueError(f"n_components: got {asked}, expected a whole number, or a share between 0 and 1")
    return min(int(np.searchsorted(share.cumsum(), asked, side="right")) + 1, most)
