"""What all reducers share: unit rows in and out, a torch head, and a folder on disk."""

from __future__ import annotations

import copy
import json
import warnings
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from importlib.metadata import version
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted, validate_data
from torch import nn

from projhead.codecs.base import BaseCodec
from projhead.heads.linear import Linear
from projhead.persistence.names import trusting
from projhead.persistence.registry import build, is_ours, spec_of
from projhead.reducers.artifact import Teacher, read_artifact, read_teacher, write_artifact
from projhead.settings.check import check
from projhead.store.store import EmbeddingStore
from projhead.vectors import Vectors, unit_rows

#: Rows worked on at once: bounds memory on memory-mapped input.
BLOCK = 65_536
#: Arguments that decide no result, only how much is seen of a fit.
_BRIEF = ("callbacks", "logger")
#: What a fit depends on, whose versions an artifact says.
_LIBRARIES = ("projhead", "torch", "numpy", "scikit-learn", "pytorch-lightning")


class Reducer(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """Base of every reducer.

    A subclass stores its arguments, and its `fit` sets ``head_``, a torch module from (n, d) to (n, k).

    Attributes
    ----------
    head_ : torch.nn.Module
        The fitted projection, before rows are made unit length again.
    teacher_ : Teacher or None
        The encoder whose vectors were seen, None for bare arrays.
    training_ : dict
        Numbers of the fit, for the card.
    codec_ : BaseCodec or None
        The codec of reduced rows that the head was trained through.
    """

    n_components: int
    head_: nn.Module
    #: The name of this kind of reducer in tables.
    kind: str
    teacher_: Teacher | None = None
    codec_: BaseCodec | None = None

    @property
    def training_(self) -> dict[str, Any]:
        """Numbers of the fit that JSON can hold."""
        return getattr(self, "_training", {})

    @property
    def _n_features_out(self) -> int:
        return int(self.head_.out_features)  # type: ignore[arg-type]

    def _validate_params(self) -> None:
        """Check the parameters against the constructor's annotations, as a command line's are."""
        check(self.get_params(deep=False), type(self))

    def _checked(self, X: ArrayLike | EmbeddingStore, *, reset: bool) -> NDArray[Any]:
        """Validate `X` without copying: float16 and memory-mapped rows stay what they are.

        A store says whose rows it holds: a fit keeps that, and another teacher's rows are refused from then on.
        """
        if isinstance(X, EmbeddingStore):
            encoder = X.manifest.encoder
            teacher = Teacher(encoder["name"], encoder["revision"], encoder["dimension"])
            if not reset and self.teacher_ is not None and not self.teacher_.is_of(teacher.revision):
                raise ValueError(
                    f"{X.folder}: expected vectors of {self.teacher_.name} (revision {self.teacher_.revision}), got "
                    f"those of {teacher.name} (revision {teacher.revision}); encode with that teacher, or fit again"
                )
            self.teacher_, X = teacher if reset else self.teacher_, X.rows
        if reset:
            self._validate_params()
        with warnings.catch_warnings():
            # The sum that scikit-learn tries first as a test of finiteness overflows in float16, harmlessly.
            warnings.filterwarnings("ignore", message="overflow encountered in reduce")
            rows: NDArray[Any] = validate_data(
                self,
                X,
                reset=reset,
                dtype=[np.float32, np.float64, np.float16],
                ensure_min_samples=2 if reset else 1,
            )
        if reset and not 1 <= self.n_components <= rows.shape[1]:
            raise ValueError(
                f"n_components: expected 1 to n_features = {rows.shape[1]}, the teacher's width, "
                f"got {self.n_components}"
            )
        return rows

    def transform(self, X: ArrayLike) -> Vectors:
        """Reduce rows (n, d), float, to unit rows (n, k), float32.

        Raises
        ------
        ValueError
            If the width is not that of the fit, or values are not finite.
        """
        check_is_fitted(self, "head_")
        rows = self._checked(X, reset=False)
        reduced = np.empty((len(rows), self._n_features_out), np.float32)
        with torch.inference_mode():
            for block, part in blocks(rows):
                reduced[block] = self.head_(torch.from_numpy(part)).numpy()
        return unit_rows(reduced, "reduced rows")

    def prefix(self, n_components: int) -> Self:
        """Return this fitted reducer with its first components only.

        Of PCA and truncation that is what a fit at that width gives.

        Raises
        ------
        ValueError
            If there are not so many components, or the first of them do not serve alone.
        """
        check_is_fitted(self, "head_")
        if not 1 <= n_components <= self.n_components:
            raise ValueError(f"n_components: expected 1 to {self.n_components}, this reducer's, got {n_components}")
        shorter = copy.copy(self)
        shorter.n_components = n_components
        shorter.head_ = self.head_.prefix(n_components)  # type: ignore[operator]
        for name in ("components_", "explained_variance_"):
            if hasattr(self, name):
                setattr(shorter, name, getattr(self, name)[:n_components])
        return shorter

    def __sklearn_tags__(self) -> Tags:
        """Declare that output is float32, whatever the input."""
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags

    def _set_linear(self, components: NDArray[Any], mean: NDArray[Any] | None) -> Self:
        """Finish a closed-form fit: ``components_ (x - mean_)`` as a head."""
        self.components_, self.mean_ = components, mean
        head = Linear(components.shape[1], components.shape[0], bias=mean is not None)
        weight = torch.from_numpy(components)
        head.initialize(weight.float(), None if mean is None else (-weight @ torch.from_numpy(mean)).float())
        self.head_ = head.requires_grad_(False)
        return self

    def save(self, path: str | Path, *, teacher: Teacher | None = None, card: str = "") -> None:
        """Write the fitted reducer as an artifact folder.

        Parameters
        ----------
        path : path
            The folder; an older artifact there is replaced.
        teacher : Teacher, optional
            The encoder that made the vectors, so that another's are refused later.
        card : str
            The text of its README.md.
        """
        check_is_fitted(self, "head_")
        self.teacher_ = teacher or self.teacher_
        fitted = {name: value for name, value in vars(self).items() if name.endswith("_") and name != "head_"}
        arrays = {
            name: value for name, value in fitted.items() if isinstance(value, np.ndarray) and value.dtype != object
        }
        scalars = {name: value for name, value in fitted.items() if isinstance(value, int | float | str)}
        tensors = {f"head.{name}": tensor for name, tensor in self.head_.state_dict().items()}
        tensors |= {f"fitted.{name}": torch.from_numpy(array) for name, array in arrays.items()}
        if self.codec_ is not None:
            tensors |= {f"codec.{name}": torch.from_numpy(array) for name, array in self.codec_.state.items()}
        config = {
            "kind": self.kind,
            "reducer": spec_of(self, brief=_BRIEF),
            "head": spec_of(self.head_),
            "codec": self.codec_ and spec_of(self.codec_),
            "fitted": scalars,
            "teacher": vars(self.teacher_) if self.teacher_ else None,
            "training": self.training_,
            "versions": {name: version(name) for name in _LIBRARIES},
        }
        write_artifact(Path(path), json.loads(json.dumps(config)), tensors, card)


def load_reducer(path: str | Path, *, trusted: Sequence[str] = ()) -> Reducer:
    """Load a fitted reducer from an artifact folder.

    Parameters
    ----------
    path : path
    trusted : sequence of str
        Packages of the user's own whose classes the record may name: their code is run.

    Raises
    ------
    FileNotFoundError
        If there is none.
    ValueError
        If it is damaged, of another version, or names a class that is neither projhead's nor `trusted`.
    """
    with trusting(trusted):
        return _loaded(path)


def _loaded(path: str | Path) -> Reducer:
    config, tensors = read_artifact(Path(path))
    reducer = build(config["reducer"], "reducer")
    if not isinstance(reducer, Reducer) or not isinstance(config["fitted"], dict):
        raise ValueError(f"{path}: {config['reducer']['class']} is not a reducer: refused")
    # No memory is taken for what the config claims, only for what the file holds; own heads are built as they expect.
    with torch.device("meta") if is_ours(config["head"]) else nullcontext():
        head = build(config["head"], "head")
    head._record = config["head"]  # as it was written: `Reduced` knows the head by it
    state = {name.removeprefix("head."): tensor for name, tensor in tensors.items() if name.startswith("head.")}
    try:
        head.load_state_dict(state, assign=True)
    except RuntimeError as error:
        raise ValueError(f"{path}: weights do not fit the head that config.json names: {error}") from error
    reducer.head_ = head.requires_grad_(False).eval()
    for name, array in _arrays(tensors, "fitted.").items():
        setattr(reducer, _fitted_name(name), array)
    for name, value in config["fitted"].items():
        setattr(reducer, _fitted_name(name), value)
    reducer.teacher_ = read_teacher(config["teacher"])
    reducer._training = config["training"]
    reducer.n_features_in_ = head.in_features
    reducer.codec_ = _codec(path, config.get("codec"), _arrays(tensors, "codec."), int(head.out_features))
    return reducer


def _arrays(tensors: dict[str, torch.Tensor], prefix: str) -> dict[str, NDArray[Any]]:
    return {name.removeprefix(prefix): tensor.numpy() for name, tensor in tensors.items() if name.startswith(prefix)}


def _codec(path: str | Path, record: Any, state: dict[str, NDArray[Any]], dimension: int) -> BaseCodec | None:
    """Rebuild the codec that an artifact records, if it does; artifacts of older versions record none."""
    if record is None:
        return None
    codec = build(record, "codec")
    if not isinstance(codec, BaseCodec):
        raise ValueError(f"{path}: {record['class']} is not a codec: refused")
    try:
        return codec.restore(state, dimension)
    except ValueError as error:
        raise ValueError(f"{path}: its codec does not fit: {error}; train again") from error


def _fitted_name(name: str) -> str:
    """Accept only names that a fit sets, so that a config cannot shadow a method."""
    if not name.endswith("_") or name.startswith("_") or hasattr(Reducer, name) or name == "head_":
        raise ValueError(f"expected the name of a fitted attribute, got {name!r}: refused")
    return name


def blocks(rows: NDArray[Any], size: int | None = None) -> Iterator[tuple[slice, Vectors]]:
    """Yield (which rows, those rows at unit length as float32), block by block."""
    size = size or BLOCK
    for start in range(0, len(rows), size):
        block = slice(start, min(start + size, len(rows)))
        yield block, unit_rows(rows[block], "X")
