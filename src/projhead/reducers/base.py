"""What all reducers share: unit rows in and out, a torch head, and a folder on disk."""

from __future__ import annotations

import copy
import json
import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from functools import cache
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import Tags
from sklearn.utils.validation import check_array, check_is_fitted, validate_data

from projhead.codecs.base import BaseCodec, load_codec
from projhead.hub.fetch import folder_of
from projhead.hub.send import push
from projhead.persistence.identity import EncoderIdentity, expect_same
from projhead.persistence.names import trusting
from projhead.persistence.registry import build, is_ours, spec_of
from projhead.reducers.artifact import CODEC, read_artifact, write_artifact
from projhead.reducers.held_out import TOP_K, hold_out
from projhead.reducers.inverse import least_squares, through_components
from projhead.reducers.linear_map import LinearMap, linear_map
from projhead.reducers.ready import ready_folder
from projhead.settings.check import check
from projhead.store.store import EmbeddingStore
from projhead.vectors import Vectors, neighbor_overlap, unit_rows
from projhead.vectors.as_rows import as_rows

if TYPE_CHECKING:
    from torch import nn

#: Rows worked on at once: bounds memory on memory-mapped input.
BLOCK = 65_536
#: Rows that `score` compares, and rows that a decoder is fitted to, at most.
_SCORED, _DECODED = 10_000, 20_000
#: Rows that an artifact keeps.
_SAMPLED = 64
#: Arguments that decide no result, only how much is seen of a fit.
_BRIEF = ("callbacks", "logger")
#: Fitted attributes that older versions called otherwise.
_FORMER = {"history_": "summary_"}
#: What a fit depends on, whose versions an artifact says.
_LIBRARIES = ("projhead", "torch", "numpy", "scikit-learn", "pytorch-lightning")


class Reducer(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """Base of every reducer.

    A subclass stores its arguments, and its `fit` sets ``head_``, a torch module from (n, d) to (n, k).

    Attributes
    ----------
    head_ : torch.nn.Module
        The fitted projection, before rows are made unit length again.
    teacher_ : EncoderIdentity or None
        The encoder whose vectors were seen, None for bare arrays.
    store_ : EmbeddingStore or None
        The store that was fitted to, where it was one; not saved.
    provenance_ : dict
        What the fit was made of, as JSON holds it: corpus, rows, queries, seed; of a trained head its loss, optimizer
        and schedule as they were, with nothing left open. Artifacts of older versions say none of it.
    training_ : dict
        Numbers of the fit, for the card.
    sample_ : ndarray of shape (m, d), float16
        Up to 64 of the unit rows that were seen, which exports of the head alone are measured on; artifacts of older
        versions have none.
    codec_ : BaseCodec or None
        The codec of reduced rows that the head was trained through.
    """

    n_components: Any
    #: The name of this kind of reducer in tables.
    kind: str
    #: Whether it is what a comparison asks about (``"subject"``), or what that is compared with (``"baseline"``).
    role = "subject"
    #: Smaller widths at which the first components serve alone.
    nested: Sequence[int] = ()
    teacher_: EncoderIdentity | None = None
    store_: EmbeddingStore | None = None
    codec_: BaseCodec | None = None
    _linear: LinearMap | None = None
    _head_record: Any = None
    _module: nn.Module | None = None
    sample_: NDArray[np.float16]

    @property
    def head_(self) -> nn.Module:
        """The fitted projection, before rows are made unit length again."""
        if self._module is None:
            if self._linear is None:
                raise AttributeError(f"{type(self).__name__} is not fitted: call fit with rows, or load an artifact")
            self._module = self._linear.head(self._head_record)
        return self._module

    @head_.setter
    def head_(self, head: nn.Module) -> None:
        self._module, self._linear, self._head_record = head, None, None

    def __sklearn_is_fitted__(self) -> bool:
        """Say whether there is a head, or what one is made of."""
        return self._linear is not None or self._module is not None

    def _head(self, rows: Vectors) -> Vectors:
        """Project unit rows (n, d) to (n, k); where a matrix does it torch is not needed."""
        if self._linear is not None:
            return self._linear(rows)
        import torch

        with torch.inference_mode():
            projected: Vectors = self.head_(torch.from_numpy(rows)).numpy()
        return projected

    @property
    def training_(self) -> dict[str, Any]:
        """Numbers of the fit that JSON can hold."""
        return getattr(self, "_training", {})

    @property
    def provenance_(self) -> dict[str, Any]:
        """What the fit was made of."""
        made: dict[str, Any] = self.__dict__.setdefault("_provenance", {})
        return made

    @property
    def n_components_(self) -> int:
        """The reduced width k, once fitted."""
        return len(self._linear.weight) if self._linear is not None else int(self.head_.out_features)  # type: ignore[arg-type]

    @property
    def _n_features_out(self) -> int:
        return self.n_components_

    def _validate_params(self) -> None:
        """Check the parameters against the constructor's annotations, as a command line's are; arrays as lists."""
        given = self.get_params(deep=False)
        check({key: one.tolist() if isinstance(one, np.ndarray) else one for key, one in given.items()}, type(self))

    def _checked(self, X: ArrayLike | EmbeddingStore, *, reset: bool, finite: bool = True) -> NDArray[Any]:
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
            X = X.rows
        if reset:
            self._validate_params()
        with warnings.catch_warnings():
            # The sum that scikit-learn tries first as a test of finiteness overflows in float16, harmlessly.
            warnings.filterwarnings("ignore", message="overflow encountered in reduce")
            rows: NDArray[Any] = validate_data(
                self,
                as_rows(X, "X"),
                reset=reset,
                dtype=[np.float32, np.float64, np.float16],
                ensure_min_samples=2 if reset else 1,
                ensure_all_finite=finite,
            )
        if reset and isinstance(self.n_components, int | np.integer) and not 1 <= self.n_components <= rows.shape[1]:
            raise ValueError(
                f"n_components: expected 1 to n_features = {rows.shape[1]}, the teacher's width, "
                f"got {self.n_components}"
            )
        if reset:
            chosen = np.unique(np.linspace(0, len(rows) - 1, _SAMPLED).astype(int))
            self.sample_ = unit_rows(rows[chosen]).astype(np.float16)
            seed = self.get_params(deep=False).get("random_state")
            self._provenance: dict[str, Any] = {"rows": len(rows), "seed": seed if isinstance(seed, int) else None}
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
        for block, part in blocks(rows):
            reduced[block] = self._head(part)
        return unit_rows(reduced, "reduced rows")

    def inverse_transform(self, X: ArrayLike) -> Vectors:
        """Return unit rows (n, d), float32, for reduced rows (n, k).

        Of closed forms a row that reduces to the one given: at full width the row itself. Of trained heads what least
        squares rebuild, with the mean squared error ``reconstruction_error_``.

        Raises
        ------
        ValueError
            If the width is not that of the reduced rows, values are not finite, or the reducer has no decoder.
        """
        check_is_fitted(self)
        rows = check_array(as_rows(X, "X"), dtype=np.float32)
        if rows.shape[1] != self.n_components_:
            raise ValueError(f"X: expected reduced rows of width {self.n_components_}, got {rows.shape[1]}")
        if hasattr(self, "components_"):
            return through_components(rows, self.components_, getattr(self, "mean_", None))
        if hasattr(self, "decoder_"):
            return unit_rows(rows @ self.decoder_, "rows")
        raise ValueError(
            "expected a head with a decoder, got one that was cut, distilled or trained by an older version: "
            f"fit a new one with n_components={self.n_components_}"
        )

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

    def _fit_decoder(self, rows: NDArray[Any], seed: int) -> None:
        """Learn the way back of a trained head."""
        kept, held_out = hold_out(rows, _DECODED, seed)
        self.decoder_, self.reconstruction_error_ = least_squares(self._head, unit_rows(kept), held_out)

    def _drop_decoder(self) -> None:
        """Forget the way back of another head."""
        for name in {"decoder_", "reconstruction_error_"} & set(vars(self)):
            delattr(self, name)

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

    def _set_linear(self, components: NDArray[Any], mean: NDArray[Any] | None) -> Self:
        """Finish a closed-form fit: ``components_ (x - mean_)`` as a head."""
        self.components_, self.mean_ = components, mean
        bias = None if mean is None else (-components @ mean).astype(np.float32)
        self._set_map(LinearMap(components.astype(np.float32), bias))
        return self

    def _set_map(self, linear: LinearMap, record: Any = None) -> None:
        """Take a linear map as the head; a record says how it was written."""
        self._linear, self._head_record, self._module = linear, record, None

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
        fitted = {name: value for name, value in vars(self).items() if name.endswith("_")}
        arrays = {
            name: value for name, value in fitted.items() if isinstance(value, np.ndarray) and value.dtype != object
        }
        scalars = {name: value for name, value in fitted.items() if isinstance(value, int | float | str)}
        weights = {f"head.{name}": tensor.cpu().numpy() for name, tensor in self.head_.state_dict().items()}
        if half:
            weights = {name: weight.astype(np.float16) for name, weight in weights.items()}
        arrays = weights | {f"fitted.{name}": array for name, array in arrays.items()}
        config = {
            "kind": self.kind,
            "reducer": spec_of(self, brief=_BRIEF),
            "head": spec_of(self.head_),
            "codec": self.codec_ and CODEC,
            "fitted": scalars,
            "teacher": self.teacher_ and self.teacher_.record,
            "training": self.training_,
            "provenance": self.provenance_,
            "versions": {name: version(name) for name in _LIBRARIES},
        }
        write_artifact(Path(path), json.loads(json.dumps(config)), arrays, card, self.codec_)

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
        return _loaded(ready_folder(path) or folder_of(path, "artifact", revision, token=token))


def _loaded(path: str | Path) -> Reducer:
    config, arrays = read_artifact(Path(path))
    arrays = {name: array.astype(np.float32) if array.dtype == np.float16 else array for name, array in arrays.items()}
    reducer = build(config["reducer"], "reducer")
    if not isinstance(reducer, Reducer) or not isinstance(config["fitted"], dict):
        raise ValueError(f"{path}: {config['reducer']['class']} is not a reducer: refused")
    weights = _named(arrays, "head.")
    linear = linear_map(config["head"], weights)
    if linear is not None:
        reducer._set_map(linear, config["head"])
        reducer.n_features_in_ = linear.weight.shape[1]
    else:
        reducer.head_ = _built(path, config["head"], weights)
        reducer.n_features_in_ = reducer.head_.in_features
    width = reducer.n_features_in_
    for name, array in _named(arrays, "fitted.").items():
        setattr(reducer, _fitted_name(name), array)
    for name, value in config["fitted"].items():
        setattr(reducer, _fitted_name(_FORMER.get(str(name), str(name))), value)
    if type(reducer.n_features_in_) is not type(width) or reducer.n_features_in_ != width:
        raise ValueError(f"{path}: expected n_features_in_={width}, got {reducer.n_features_in_!r:.100}: refused")
    if hasattr(reducer, "components_") and not hasattr(reducer, "mean_"):
        reducer.mean_ = None
    reducer.teacher_ = config["teacher"] and EncoderIdentity.of_record(config["teacher"])
    if reducer.teacher_ is None:
        _tell_unknown(Path(path))
    reducer._training = config["training"]
    reducer._provenance = config.get("provenance", {})
    reducer.codec_ = _codec(path, config.get("codec"), _named(arrays, "codec."), reducer.n_components_)
    return reducer


@cache
def _tell_unknown(path: Path) -> None:
    """Say once of an artifact that nothing can tell whose vectors it takes."""
    logging.getLogger(__name__).warning(
        "%s was fitted to a bare array, of an unknown teacher: nothing refuses another encoder's vectors of its width. "
        "Fit to a store, or save(..., teacher=encoder.identity), and it will know.",
        path,
    )


def _named(arrays: dict[str, NDArray[Any]], prefix: str) -> dict[str, NDArray[Any]]:
    return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}


def _built(path: str | Path, record: Any, weights: dict[str, NDArray[Any]]) -> nn.Module:
    """Return the head that a record describes, with its weights."""
    import torch

    # No memory is taken for what the config claims, only for what the file holds; own heads are built as they expect.
    try:
        with torch.device("meta") if is_ours(record) else nullcontext():
            head: nn.Module = build(record, "head")
        head._record = record  # as it was written: `Reduced` knows the head by it
        head.load_state_dict({name: torch.from_numpy(array) for name, array in weights.items()}, assign=True)
    except RuntimeError as error:
        raise ValueError(f"{path}: weights do not fit the head that config.json names: {error}") from error
    return head.requires_grad_(False).eval()


def _codec(path: str | Path, record: Any, state: dict[str, NDArray[Any]], dimension: int) -> BaseCodec | None:
    """Rebuild the codec that an artifact records, if it does; artifacts of older versions record none."""
    if record is None:
        return None
    if record == CODEC:
        codec = load_codec(Path(path) / CODEC)
        if codec.dimension != dimension:
            raise ValueError(f"{path}: its codec does not fit: expected width {dimension}, got {codec.dimension}")
        return codec
    codec = build(record, "codec")  # of an older version, whose arrays lay among the head's
    if not isinstance(codec, BaseCodec):
        raise ValueError(f"{path}: {record['class']} is not a codec: refused")
    try:
        return codec.restore(state, dimension)
    except ValueError as error:
        raise ValueError(f"{path}: its codec does not fit: {error}; train again") from error


def _fitted_name(name: str) -> str:
    """Accept only names that a fit sets, so that a config cannot shadow a method."""
    if not name.endswith("_") or name.startswith("_") or hasattr(Reducer, name):
        raise ValueError(f"expected the name of a fitted attribute, got {name!r}: refused")
    return name


def blocks(rows: NDArray[Any], size: int | None = None) -> Iterator[tuple[slice, Vectors]]:
    """Yield (which rows, those rows at unit length as float32), block by block."""
    size = size or BLOCK
    for start in range(0, len(rows), size):
        block = slice(start, min(start + size, len(rows)))
        yield block, unit_rows(rows[block], "X")
