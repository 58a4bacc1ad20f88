"""Check settings against the signature of what takes them."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import is_dataclass
from functools import cache
from typing import Any, get_args, get_origin

from pydantic import ConfigDict, TypeAdapter, ValidationError
from sklearn.utils._param_validation import InvalidParameterError, make_constraint, validate_parameter_constraints

from projhead.errors import UserError, nearest
from projhead.settings.kinds import in_words, tightened


def check(settings: Mapping[str, Any], takes: Callable[..., Any] | None = None, name: str = "") -> dict[str, Any]:
    """Check settings, and all nodes with a ``_target_`` in them, against what takes them.

    Parameters
    ----------
    settings : mapping
        Values by name. A node with a ``_target_`` stands for what that builds.
    takes : callable, optional
        What is called with them; the node's own ``_target_`` where not given.
    name : str
        Of the settings, for messages: ``corpus``.

    Returns
    -------
    dict
        Dotted names of the values that were spelled otherwise than their type, and what they mean: ``no`` is False.

    Raises
    ------
    UserError
        If a setting is unknown, missing or out of its range: name, what was got, what is expected.
    """
    meant: dict[str, Any] = {}
    own = {key: value for key, value in settings.items() if not str(key).startswith("_")}
    if takes is None and "_target_" in settings:
        takes = _target(settings["_target_"], name)
    if takes is not None:
        _check_names(own, takes, bool(settings.get("_partial_")), name)
        for key, value in own.items():
            kind = annotations_of(takes).get(key)
            if isinstance(kind, type) and is_dataclass(kind) and isinstance(value, Mapping):
                meant |= check(value, kind, f"{name}.{key}".lstrip("."))
            elif (each := _each_of(kind)) and isinstance(value, Mapping):
                for one, node in value.items():
                    if not isinstance(node, Mapping):
                        raise UserError(f"{name}.{key}.{one}: got {node!r}, expected settings")
                    meant |= check(node, each, f"{name}.{key}.{one}".lstrip("."))
            elif not (
                any(_targets(value)) or (value is None and settings.get("_partial_"))
            ):  # null: the caller decides
                read = _value(takes, key, value, f"{name}.{key}".lstrip("."))
                if type(read) is not type(value) and isinstance(read, (bool, int, float, str)):
                    meant[f"{name}.{key}".lstrip(".")] = read
    nodes = [key for key, value in own.items() if isinstance(value, Mapping) and any(_targets(value))]
    for key in sorted(nodes, key=lambda key: len(list(_targets(own[key])))):  # what a node borrows is named at its home
        if isinstance(value := own[key], Mapping):
            meant |= check(value, None, f"{name}.{key}".lstrip("."))
    return meant


def _each_of(kind: Any) -> type | None:
    """Return the dataclass that a mapping's values are of, where they are of one."""
    inner = get_args(kind)
    found = inner[1] if get_origin(kind) is Mapping else None
    return found if isinstance(found, type) and is_dataclass(found) else None


def _targets(value: Any) -> Iterator[Any]:
    if isinstance(value, Mapping):
        if "_target_" in value:
            yield value
        for one in value.values():
            yield from _targets(one)
    elif isinstance(value, list):
        for one in value:
            yield from _targets(one)


def _target(path: Any, name: str) -> Callable[..., Any]:
    """Return what a ``_target_`` names."""
    module, _, attribute = str(path).rpartition(".")
    try:
        found = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise UserError(f"{name}._target_: got {path!r}, expected the path of a class or function ({error})") from error
    if not callable(found):
        raise UserError(f"{name}._target_: got {path!r}, expected a class or function")
    return found  # type: ignore[no-any-return]


def _check_names(own: Mapping[str, Any], takes: Callable[..., Any], partial: bool, name: str) -> None:
    parameters = inspect.signature(takes).parameters
    known = [key for key, one in parameters.items() if one.kind in (one.POSITIONAL_OR_KEYWORD, one.KEYWORD_ONLY)]
    if not any(one.kind is one.VAR_KEYWORD for one in parameters.values()):
        for key in own:
            if key not in known:
                listed = f"; expected one of {', '.join(known)}" if known else "; there are none"
                like = nearest(key, known) or (listed if len(known) < 30 else "")
                raise UserError(f"{f'{name}.{key}'.lstrip('.')}: no such setting{like}")
    for key in known:
        given = key in own and own[key] != "???"
        if not given and (key in own or (parameters[key].default is inspect.Parameter.empty and not partial)):
            expected = in_words(annotations_of(takes)[key])
            raise UserError(f"{f'{name}.{key}'.lstrip('.')}: not given, expected {expected}")


def check_value(takes: Callable[..., Any], key: str, value: Any) -> None:
    """Check one argument of what takes it, where that has such a one.

    Raises
    ------
    UserError
        If it is out of its range.
    """
    if key in annotations_of(takes):
        _value(takes, key, value, key)


def _value(takes: Callable[..., Any], key: str, value: Any, name: str) -> Any:
    """Return a value as its annotation reads it."""
    adapter, kind = _adapters(takes).get(key, (None, Any))
    try:
        read = value if adapter is None else adapter.validate_python(value)
    except ValidationError:
        raise UserError(f"{name}: got {value!r}, expected {in_words(kind)}") from None
    if _foreign(takes) and isinstance(read, (int, float)) and not isinstance(read, bool) and read < 0 and read != -1:
        raise UserError(f"{name}: got {value!r}, expected {in_words(kind)}, not below 0 (or -1, where that means all)")
    constraints = getattr(takes, "_parameter_constraints", {}).get(key)
    if constraints is None:
        return read
    try:
        validate_parameter_constraints({key: constraints}, {key: read}, "")
    except InvalidParameterError:
        expected = " or ".join(str(make_constraint(one)) for one in constraints)
        raise UserError(f"{name}: got {value!r}, expected {expected}") from None
    return read


def _foreign(takes: Callable[..., Any]) -> bool:
    """Say whether a class is of a library whose annotations name no ranges."""
    return takes.__module__.split(".")[0] in ("torch", "pytorch_lightning")


@cache
def _adapters(takes: Callable[..., Any]) -> dict[str, tuple[TypeAdapter[Any] | None, Any]]:
    """Return what reads each parameter, and its annotation."""
    adapters: dict[str, tuple[TypeAdapter[Any] | None, Any]] = {}
    for key, kind in annotations_of(takes).items():
        try:
            adapters[key] = (TypeAdapter(tightened(kind), config=ConfigDict(arbitrary_types_allowed=True)), kind)
        except Exception:  # a type that is no setting's, and that pydantic cannot read
            adapters[key] = (None, kind)
    return adapters


@cache
def annotations_of(takes: Callable[..., Any]) -> dict[str, Any]:
    """Return the annotation of every parameter; Any where there is none, or only type checkers can read it."""
    try:
        parameters = inspect.signature(takes, eval_str=True).parameters
    except NameError:
        return dict.fromkeys(inspect.signature(takes).parameters, Any)
    return {key: Any if one.annotation is one.empty else one.annotation for key, one in parameters.items()}
