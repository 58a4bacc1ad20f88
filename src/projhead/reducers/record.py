"""Describe a fitted reducer for its artifact, and restore it."""

from __future__ import annotations

import json
import logging
from contextlib import nullcontext
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from projhead.codecs.base import BaseCodec, load_codec
from projhead.persistence.identity import EncoderIdentity
from projhead.persistence.registry import build, is_ours, spec_of
from projhead.reducers.artifact import CODEC, read_artifact
from projhead.reducers.linear_map import linear_map

if TYPE_CHECKING:
    from torch import nn

#: Arguments that decide no result, only how much is seen of a fit.
_BRIEF = ("callbacks", "logger")
#: Fitted attributes that older versions called otherwise.
_FORMER = {"history_": "summary_"}
#: What a fit depends on, whose versions an artifact says.
_LIBRARIES = ("projhead", "torch", "numpy", "scikit-learn", "pytorch-lightning")


def recorded(reducer: Any, *, half: bool) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Return the config and the arrays of a fitted reducer's artifact, the head's weights as float16 where `half`."""
    fitted = {name: value for name, value in vars(reducer).items() if name.endswith("_")}
    arrays = {name: value for name, value in fitted.items() if isinstance(value, np.ndarray) and value.dtype != object}
    scalars = {name: value for name, value in fitted.items() if isinstance(value, int | float | str)}
    weights = {f"head.{name}": tensor.cpu().numpy() for name, tensor in reducer.head_.state_dict().items()}
    if half:
        weights = {name: weight.astype(np.float16) for name, weight in weights.items()}
    arrays = weights | {f"fitted.{name}": array for name, array in arrays.items()}
    config = {
        "kind": reducer.kind,
        "reducer": spec_of(reducer, brief=_BRIEF),
        "head": spec_of(reducer.head_),
        "codec": reducer.codec_ and CODEC,
        "fitted": scalars,
        "teacher": reducer.teacher_ and reducer.teacher_.record,
        "training": reducer.training_,
        "provenance": reducer.provenance_,
        "versions": {name: version(name) for name in _LIBRARIES},
    }
    return json.loads(json.dumps(config)), arrays


def restored(kind: type, path: str | Path) -> Any:
    """Return the fitted reducer that an artifact holds.

    Parameters
    ----------
    kind : type
        The base of all reducers: what it calls something no artifact may set.
    path : path

    Raises
    ------
    FileNotFoundError
        If there is none.
    ValueError
        If it is damaged, of another version, or says more than a reducer's record may.
    """
    config, arrays = read_artifact(Path(path))
    arrays = {name: array.astype(np.float32) if array.dtype == np.float16 else array for name, array in arrays.items()}
    reducer: Any = build(config["reducer"], "reducer")
    if not issubclass(type(reducer), kind) or not isinstance(config["fitted"], dict):
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
        setattr(reducer, _fitted_name(kind, name), array)
    for name, value in config["fitted"].items():
        setattr(reducer, _fitted_name(kind, _FORMER.get(str(name), str(name))), value)
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


def _fitted_name(kind: type, name: str) -> str:
    """Accept only names that a fit sets, so that a config cannot shadow a method."""
    if not name.endswith("_") or name.startswith("_") or hasattr(kind, name):
        raise ValueError(f"expected the name of a fitted attribute, got {name!r}: refused")
    return name
