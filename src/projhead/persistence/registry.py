"""Record which of our classes an object is and with which arguments, and rebuild it from that record.

A record names a class inside one of projhead's own packages and arguments that JSON can hold. Nothing else can
be built: a record from a stranger can at worst be refused.
"""

from __future__ import annotations

import importlib
import inspect
import json
import re
from typing import Any


def parameters_of(instance: object) -> dict[str, Any]:
    """Return the constructor arguments of `instance`, read from its attributes of the same names."""
    parameters = inspect.signature(type(instance)).parameters.values()
    names = [one.name for one in parameters if one.kind not in (one.VAR_POSITIONAL, one.VAR_KEYWORD)]
    return {name: getattr(instance, name) for name in names}


def spec_of(instance: object) -> dict[str, Any]:
    """Describe `instance` as ``{"class": ..., "parameters": {...}}``; arguments JSON cannot hold are left out.

    An argument that is itself an object of the same package (an encoder inside an encoder) becomes a record too.
    What the class names as `unrecorded` (a host, say) is for the user to give at each call: no record holds or sets it.
    """
    kept = {}
    for name, value in parameters_of(instance).items():
        if name in _unrecorded(type(instance)):
            continue
        if _package(value) == _package(instance):
            kept[name] = spec_of(value)
            continue
        try:
            json.dumps(value, allow_nan=False)
        except (TypeError, ValueError):
            continue
        kept[name] = value
    return {"class": f"{type(instance).__module__}.{type(instance).__qualname__}", "parameters": kept}


def _unrecorded(cls: type) -> tuple[str, ...]:
    return getattr(cls, "unrecorded", ())


def _package(instance: object) -> str:
    """Return the first two names of the module that an object's class is defined in."""
    return ".".join(type(instance).__module__.split(".")[:2])


def build(spec: Any, package: str) -> Any:
    """Rebuild what `spec_of` described.

    Parameters
    ----------
    spec : dict
        A record, perhaps from a stranger.
    package : str
        The only package whose classes are allowed, such as ``"projhead.heads"``.

    Raises
    ------
    ValueError
        If the record is malformed, names a class elsewhere, or its arguments do not fit.
    """
    if not isinstance(spec, dict) or set(spec) != {"class", "parameters"} or not isinstance(spec["parameters"], dict):
        raise ValueError(f"expected a record with 'class' and 'parameters' of {package}, got {spec!r:.200}")
    match = re.fullmatch(rf"({re.escape(package)}\.[a-z_]+)\.([A-Z][A-Za-z0-9]*)", str(spec["class"]))
    if match is None:
        raise ValueError(f"expected a class of {package}, got {spec['class']!r:.200}: refused")
    try:
        cls = getattr(importlib.import_module(match[1]), match[2])
    except (ImportError, AttributeError) as error:
        raise ValueError(f"this version of projhead has no {spec['class']}: {error}") from error
    if not inspect.isclass(cls) or cls.__module__ != match[1]:
        raise ValueError(f"{spec['class']} is not a class defined in {match[1]}: refused")
    parameters = {
        name: build(value, package) if isinstance(value, dict) and set(value) == {"class", "parameters"} else value
        for name, value in spec["parameters"].items()
        if name not in _unrecorded(cls)
    }
    try:
        return cls(**parameters)
    except TypeError as error:
        raise ValueError(f"{spec['class']} does not take these parameters: {error}") from error
