"""Describe objects as JSON, and build them again.

    {"class": "head/Linear", "parameters": {"in_features": 384, "out_features": 64, "bias": false}}
    {"partial": "torch.optim.AdamW", "parameters": {"lr": 0.001}}
    {"function": "my_package.losses.mine"}
    {"undescribed": "numpy.ndarray"}

Only classes of projhead are built, and those of packages that the user trusts: a record from a stranger can at worst be
refused. What is described for people to read, an optimizer for example, comes back as `Described`.
"""

from __future__ import annotations

import functools
import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from projhead.persistence.names import class_named, current, is_trusted, name_of, object_at
from projhead.settings.check import check_value

#: Kinds that another kind's arguments may be: they open no files and no connections.
_PLAIN = {"codec", "loss"}
#: Of these a class with arguments, not yet called, may be one too.
_FACTORIES = {"head", "loss"}
_DEEPEST = 8
#: Values of an array that is described; a longer one is data.
_LONGEST = 64
#: The keys of descriptions.
_DESCRIPTIONS = ({"class", "parameters"}, {"partial", "parameters"}, {"function"}, {"undescribed"})
#: What an argument is called that its object did not keep as an attribute.
_NOT_KEPT = {"undescribed": "not kept as an attribute"}


class NotBuiltError(AttributeError, ValueError):
    """Something was used that a record only describes."""


class Described:
    """A setting that a record describes and that was not built again; written again it stays as it is.

    Parameters
    ----------
    record : dict
        The description.
    reason : str
        Why it could not be built, where that was tried.
    """

    def __init__(self, record: dict[str, Any], reason: str = "") -> None:
        self.record, self.reason = record, reason

    def __repr__(self) -> str:
        return f"Described({self.record})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Described) and self.record == other.record

    __hash__ = None  # type: ignore[assignment]

    def __call__(self, *arguments: Any, **more: Any) -> Any:
        """Refuse.

        Raises
        ------
        ValueError
            Always: there is no such thing.
        """
        raise self._refusal()

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name in ("record", "reason"):
            raise AttributeError(name)
        raise self._refusal()

    def _refusal(self) -> NotBuiltError:
        what = self.record.get("class") or self.record.get("partial") or self.record.get("function") or self.record
        package = str(what).partition(".")[0]
        return NotBuiltError(
            f"{what} was described when this was written, and is not built again from that"
            f"{self.reason and f' ({self.reason})'}: set it anew (set_params), or to None for the default; if the code "
            f"is yours, load with trusted=[{package!r}]"
        )


def parameters_of(instance: object) -> dict[str, Any]:
    """Return the constructor arguments of `instance`, read from its attributes of the same names.

    What its class names as `unrecorded` (a host, say) is for the user to give at each call: no record holds or sets it.
    """
    parameters, left_out = inspect.signature(type(instance)).parameters.values(), _unrecorded(type(instance))
    names = [one.name for one in parameters if one.kind not in (one.VAR_POSITIONAL, one.VAR_KEYWORD)]
    return {name: getattr(instance, name, Described(_NOT_KEPT)) for name in names if name not in left_out}


def _unrecorded(cls: type[Any]) -> Sequence[str]:
    return getattr(cls, "unrecorded", ())


def spec_of(instance: object, *, brief: Sequence[str] = ()) -> dict[str, Any]:
    """Describe `instance` as ``{"class": ..., "parameters": {...}}``, so that `build` makes it again.

    Parameters
    ----------
    instance : object
    brief : sequence of str
        Arguments of which only the class is said: how loudly something ran, for example.
    """
    parameters = parameters_of(instance)
    return {
        "class": name_of(type(instance)),
        "parameters": {name: (_brief if name in brief else _described)(value) for name, value in parameters.items()},
    }


def is_ours(spec: Any) -> bool:
    """Say whether a description names a class of projhead's."""
    return isinstance(spec, dict) and "/" in current(str(spec.get("class")))


def is_whole(spec: Any, kind: str) -> bool:
    """Say whether a description is of its object's whole state, and `build` makes it again.

    It is if nothing in it is only for people to read, and all of projhead's objects in it are of the same kind: others,
    a reducer in an encoder for example, have been fitted.
    """
    if isinstance(spec, list):
        return all(is_whole(one, kind) for one in spec)
    if not isinstance(spec, dict):
        return True
    if "class" in spec and is_ours(spec) and not current(spec["class"]).startswith(f"{kind}/"):
        return False
    return not {"partial", "function", "undescribed"} & set(spec) and is_whole(list(spec.values()), kind)


def renewed(spec: Any) -> Any:
    """Return a description with the names of this version."""
    if isinstance(spec, dict):
        return {
            key: current(value) if key in ("class", "partial") and isinstance(value, str) else renewed(value)
            for key, value in spec.items()
        }
    return [renewed(one) for one in spec] if isinstance(spec, list) else spec


def _brief(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(name): _brief(one) for name, one in value.items()}
    return _described(value) if value is None or isinstance(value, Described) else _undescribed(value)


def _undescribed(value: Any) -> dict[str, Any]:
    return {"undescribed": name_of(type(value))}


def _described(value: Any, depth: int = 0) -> Any:
    """Return a value as JSON can hold it; what cannot be described is named as such."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else {"undescribed": f"float {value}"}
    if isinstance(value, np.generic):
        return _described(value.item())
    if isinstance(value, np.ndarray) and value.ndim == 1 and value.size <= _LONGEST and value.dtype != object:
        return [_described(one) for one in value.tolist()]
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, Described):
        return value.record
    if depth > _DEEPEST:
        return _undescribed(value)
    if isinstance(value, Mapping):
        return {str(name): _described(one, depth + 1) for name, one in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, bytes | bytearray | memoryview):
        return [_described(one, depth + 1) for one in value]
    if isinstance(value, functools.partial):
        given = {**{str(number): one for number, one in enumerate(value.args)}, **value.keywords}
        return {"partial": name_of(value.func), "parameters": _described(given, depth + 1)}
    if inspect.isclass(value) or inspect.isroutine(value):
        return {"function": name_of(value)}
    try:
        parameters = parameters_of(value)
    except (TypeError, ValueError):  # a built-in type, which does not say what it takes
        return _undescribed(value)
    described = _described(parameters, depth + 1)
    kept = _NOT_KEPT not in described.values()
    return {"class": name_of(type(value)), "parameters": described} if kept else _undescribed(value)


def build(spec: Any, kind: str) -> Any:
    """Build again what `spec_of` described.

    Parameters
    ----------
    spec : dict
        A record, perhaps from a stranger.
    kind : str
        What it must be, such as ``"head"``.

    Raises
    ------
    ValueError
        If the record is malformed, names a class of another kind or of a package that the user does not trust (see
        `trusting`), or its arguments do not fit.
    """
    if not isinstance(spec, dict) or set(spec) != {"class", "parameters"} or not isinstance(spec["parameters"], dict):
        raise ValueError(f"expected a record ({kind}) with 'class' and 'parameters', got {spec!r:.200}")
    cls = class_named(spec["class"], kind)
    # A class whose arguments have changed says itself what older records mean.
    upgrade: Callable[[dict[str, Any]], dict[str, Any]] = getattr(cls, "upgrade", dict)
    given = upgrade(spec["parameters"])
    if lost := [name for name, value in given.items() if value == _NOT_KEPT]:
        raise ValueError(f"{spec['class']} cannot be built again: it does not keep its argument as self.{lost[0]}")
    made = {name: _built(one, kind) for name, one in given.items() if name not in _unrecorded(cls)}
    for name, value in made.items():
        if is_ours(spec) and _is_plain(value):
            check_value(cls, name, value)
    try:
        return cls(**made)
    except TypeError as error:
        raise ValueError(f"{spec['class']} does not take these parameters: {error}") from error


def _is_plain(value: Any) -> bool:
    """Say whether a value is JSON's, with no object built in it."""
    inside = [*value, *value.values()] if isinstance(value, dict) else value if isinstance(value, list) else []
    return isinstance(value, dict | list | str | bool | int | float | None) and all(map(_is_plain, inside))


def _built(value: Any, kind: str) -> Any:
    """Return an argument of a record; what must not, or cannot, be built stays described."""
    if isinstance(value, list):
        return [_built(one, kind) for one in value]
    if not isinstance(value, dict):
        return value
    if set(value) not in _DESCRIPTIONS:
        return {name: _built(one, kind) for name, one in value.items()}
    what = next(iter(set(value) - {"parameters"}))
    name, kinds = value[what], {kind, *_PLAIN} if what == "class" else _FACTORIES
    found = current(name).rpartition("/")[0] if isinstance(name, str) else ""
    if what == "undescribed" or not (found in kinds or (not found and is_trusted(str(name)))):
        return Described(value)
    try:
        if what == "class":
            return build(value, found or kind)
        callee: Callable[..., Any] = class_named(name, found) if found else object_at(name)
        if what == "function":
            return callee
        given = {key: _built(one, kind) for key, one in dict(value["parameters"]).items()}
        positional = [given.pop(key) for key in sorted(filter(str.isdecimal, given), key=int)]
        made: functools.partial[Any] = functools.partial(callee, *positional, **given)
        return made
    except (ValueError, TypeError) as error:
        if found:
            raise
        return Described(value, str(error))  # of the user's own: the rest may serve without it
