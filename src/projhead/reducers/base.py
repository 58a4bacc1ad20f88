"""The base of all reducers."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Self, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted, validate_data

from projhead.hub.fetch import folder_of
from projhead.hub.send import push
from projhead.persistence.identity import EncoderIdentity, expect_same
from projhead.persistence.names import trusting
from projhead.reducers.artifact import write_artifact
from projhead.reducers.held_out import TOP_K
from projhead.reducers.inverse import Invertible
from projhead.reducers.made import Made
from projhead.reducers.ready import ready_folder
from projhead.reducers.record import recorded, restored
from projhead.settings.check import check
from projhead.store.store import EmbeddingStore
from projhead.vectors import Vectors, neighbor_overlap, unit_rows
from projhead.vectors.as_rows import as_rows
from projhead.vectors.lazy import LazyRows
from projhead.vectors.unit import expect_finite, unit_blocks

#: Rows that `score` compares, at most.
_SCORED = 10_000
#: Rows that an artifact keeps.
_SAMPLED = 64


class Reducer(Made, Invertible, ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """Base of every reducer.

    A subclass stores its arguments, and its `fit` sets ``head_``, a torch module from (n, d) to (n, k).
    """

    n_components: Any
    #: The name of this kind of reducer in tables.
    kind: str
    #: Whether it is what a comparison asks about (``"subject"``), or what that is compared with (``"baseline"``).
    role = "subject"
    #: Smaller widths at which the first components serve alone.
    nested: Sequence[int] = ()

    @property
    def _n_features_out(self) -> int:
        return self.n_components_

    def _validate_params(self) -> None:
        """Check the parameters against the constructor's annotations, as a command line's are; arrays as lists."""
        given = self.get_params(deep=False)
        check({key: one.tolist() if isinstance(one, np.ndarray) else one for key, one in given.items()}, type(self))

    def _checked(self, X: ArrayLike | LazyRows | EmbeddingStore, *, reset: bool, finite: bool = True) -> NDArray[Any]:
        """Validate `X` without copying: float16 and memory-mapped rows stay what they are.

        Callers that make all rows unit length, which finds values that are not finite, leave that check out.

        A store says whose rows it holds: a fit keeps that, and another teacher's rows are refused from then on.
        """
        if reset:
            self.store_ = X if isinstance(X, EmbeddingStore) else None
        if isinstance(X, EmbeddingStore):
            if reset:
                self.teacher_ = X.manifest.encoder
            else:
                self.check_fits(X.manifest.encoder, str(X.folder))
            X = X.lazy_rows
        if reset:
            self._validate_params()
        lazy = X if isinstance(X, LazyRows) else None
        checked: NDArray[Any] = validate_data(
            self,
            as_rows(X, "X") if lazy is None else lazy[:2],
            reset=reset,
            dtype=[np.float32, np.float64, np.float16],
            ensure_min_samples=2 if reset else 1,
            ensure_all_finite=False,
        )
        rows = checked if lazy is None else cast("NDArray[Any]", lazy)
        if finite:
            expect_finite(rows, "X")
        if reset and isinstance(self.n_components, int | np.integer) and not 1 <= self.n_components <= rows.shape[1]:
            raise ValueError(
                f"n_components: expected 1 to n_features = {rows.shape[1]}, the teacher's width, "
                f"got {self.n_components}"
            )
        if reset:
            chosen = np.unique(np.linspace(0, len(rows) - 1, _SAMPLED).astype(int))
            self.sample_ = unit_rows(rows[chosen]).astype(np.float16)
            self._provenance: dict[str, Any] = {"rows": len(rows), "seed": self.seed}
            if self.store_ is not None:
                self._provenance["corpus"] = dict(self.store_.manifest.corpus)
        return rows

    def check_fits(self, encoder: EncoderIdentity, what: str = "the reducer") -> None:
        """Check that this fitted reducer takes the vectors of an encoder.

        Raises
        ------
        ValueError
            If it was fitted to those of another, or to vectors of another width.
        """
        if self.teacher_ is not None:
            expect_same(self.teacher_, encoder, what, "choose that teacher with encoder=..., or train again")
        if self.n_features_in_ != encoder.dimension:
            raise ValueError(
                f"{what}: expected vectors of width {self.n_features_in_}, got those of {encoder}; choose the teacher "
                "that the reducer was fitted to"
            )

    def transform(self, X: ArrayLike) -> Vectors:
        """Reduce rows (n, d), float, to unit rows (n, k), float32.

        Raises
        ------
        ValueError
            If the width is not that of the fit, or values are not finite.
        """
        check_is_fitted(self)
        rows = self._checked(X, reset=False, finite=False)
        reduced = np.empty((len(rows), self._n_features_out), np.float32)
        for block, part in unit_blocks(rows, "X"):
            reduced[block] = self._head(part)
        return unit_rows(reduced, "reduced rows")

    def score(self, X: ArrayLike, y: object = None) -> float:
        """Return the share of each row's 10 nearest neighbors in `X` that the reduced rows keep, on average.

        Higher is better, so that ``GridSearchCV`` chooses by it. Of more than 10,000 rows a random choice of so many
        is compared, the same at each call; `y` is not used.

        Raises
        ------
        ValueError
            As `transform`, and if there are fewer than two rows.
        """
        check_is_fitted(self)
        rows = self._checked(X, reset=False)
        if len(rows) < 2:
            raise ValueError(f"X: expected at least 2 rows to have neighbors, got {len(rows)}")
        if len(rows) > _SCORED:
            rows = rows[np.sort(np.random.default_rng(0).permutation(len(rows))[:_SCORED])]
        top_k = min(TOP_K, len(rows) - 1)
        return float(neighbor_overlap(unit_rows(rows), self.transform(rows), [top_k]).mean())

    def prefix(self, n_components: int) -> Self:
        """Return this fitted reducer with its first components only.

        Of PCA and truncation that is what a fit at that width gives.

        Raises
        ------
        ValueError
            If there are not so many components, or the first of them do not serve alone.
        """
        check_is_fitted(self)
        if not 1 <= n_components <= self.n_components_:
            raise ValueError(f"n_components: expected 1 to {self.n_components_}, this reducer's, got {n_components}")
        shorter = copy.copy(self)
        shorter.n_components = n_components
        shorter.head_ = self.head_.prefix(n_components)  # type: ignore[operator]
        shorter._drop_decoder()
        shorter.__dict__.pop("shortfall_", None)  # is of all components together
        for name in ("components_", "explained_variance_", "explained_variance_ratio_"):
            if hasattr(self, name):
                setattr(shorter, name, getattr(self, name)[:n_components])
        return shorter

    def __sklearn_tags__(self) -> Tags:
        """Declare that output is float32, whatever the input."""
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags

    def save(
        self, path: str | Path, *, teacher: EncoderIdentity | None = None, card: str = "", half: bool = False
    ) -> None:
        """Write the fitted reducer as an artifact folder.

        Parameters
        ----------
        path : path
            The folder; an older artifact there is replaced.
        teacher : EncoderIdentity, optional
            The encoder that made the vectors, so that another's are refused later. A store that was fitted to says it
            by itself; where nothing does, whoever loads the artifact is told.
        card : str
            The text of its README.md.
        half : bool
            Whether the head's weights are written as float16, which moves a score by a few thousandths at most.
        """
        check_is_fitted(self)
        self.teacher_ = teacher or self.teacher_
        config, arrays = recorded(self, half=half)
        write_artifact(Path(path), config, arrays, card, self.codec_)

    def push_to_hub(self, repository: str, *, card: str = "", half: bool = False, **options: Any) -> str:
        """Save the fitted reducer and send it to the model hub; return where it can be seen.

        Parameters
        ----------
        repository : str
            ``owner/name``.
        card, half
            As for `save`.
        **options
            As for `projhead.push`: ``private``, ``create_pr``, ``revision``, ``license``, ...
        """
        with TemporaryDirectory() as folder:
            self.save(Path(folder) / "artifact", card=card, half=half)
            return push(Path(folder) / "artifact", repository, **options)

    @classmethod
    def from_pretrained(cls, name: str | Path, **options: Any) -> Self:
        """Load a reducer of this class; see `load_reducer`.

        Raises
        ------
        TypeError
            If it is one of another class.
        """
        found = load_reducer(name, **options)
        if not isinstance(found, cls):
            raise TypeError(f"{name}: expected {cls.__name__}, got {type(found).__name__}; use load_reducer")
        return found


def load_reducer(
    path: str | Path, *, revision: str | None = None, token: str | None = None, trusted: Sequence[str] = ()
) -> Reducer:
    """Load a fitted reducer from an artifact folder.

    Parameters
    ----------
    path : path
        Or, where no folder is called so, the name of a ready head, such as ``"all-MiniLM-L6-v2-64"`` (see
        `projhead.reducers.ready`), or of a repository of the hub, ``"owner/name"``.
    revision : str, optional
        A commit, tag or branch of that repository.
    token : str, optional
        Of the hub, as `projhead.hub.fetch.folder_of` takes it.
    trusted : sequence of str
        Packages of the user's own whose classes the record may name: their code is run.

    Raises
    ------
    FileNotFoundError
        If there is none.
    ValueError
        If it is damaged, of another version, or names a class that is neither projhead's nor `trusted`.

    Examples
    --------
    >>> from projhead import load_reducer
    >>> head = load_reducer("all-MiniLM-L6-v2-64")
    >>> head.n_features_in_, head.n_components_, head.teacher_.name
    (384, 64, 'all-MiniLM-L6-v2')
    """
    with trusting(trusted):
        found: Reducer = restored(Reducer, ready_folder(path) or folder_of(path, "artifact", revision, token=token))
    return found
