"""Tighten annotations for settings, and put them into words."""

from __future__ import annotations

import types
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin

from annotated_types import Ge, GroupedMetadata, Gt, Le, Lt
from pydantic import AllowInfNan, BeforeValidator


def _yes_or_no(value: Any) -> Any:
    if isinstance(value, bool) or (isinstance(value, str) and value.strip()):
        return value  # pydantic reads yes, no, on, off, true, false
    raise ValueError("neither yes nor no")


def _number(value: Any) -> Any:
    if isinstance(value, (bool, str)):
        raise ValueError("not a number")
    return value


def _text(value: Any) -> Any:
    """Take 5 for "5": a command line has no quotes for numbers."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


_TIGHT: dict[Any, Any] = {
    bool: Annotated[bool, BeforeValidator(_yes_or_no)],
    int: Annotated[int, BeforeValidator(_number)],
    float: Annotated[float, AllowInfNan(False), BeforeValidator(_number)],
    str: Annotated[str, BeforeValidator(_text)],
}

_WORDS: dict[Any, str] = {
    bool: "yes or no",
    int: "a whole number",
    float: "a number",
    str: "text",
    Path: "a path",
    type(None): "null",
    Any: "anything",
}


def tightened(kind: Any) -> Any:
    """Return an annotation that refuses NaN, infinity, true for 1 and "5" for 5, and reads yes, no, on and off."""
    if kind in _TIGHT:
        return _TIGHT[kind]
    if isinstance(kind, TypeVar):
        return Any
    origin, inner = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return Annotated[(tightened(inner[0]), *inner[1:])]
    if origin in (Union, types.UnionType):
        return Union[tuple(tightened(one) for one in inner)]  # noqa: UP007  of a tuple
    if origin in (list, tuple, dict) or (origin is not None and origin.__module__ == "collections.abc"):
        return kind if any(isinstance(one, list) for one in inner) else origin[tuple(map(tightened, inner))]
    return kind


def in_words(kind: Any) -> str:
    """Say what a value of the annotation is: ``a whole number of at least 1, or null``."""
    origin, inner = get_origin(kind), get_args(kind)
    if kind in _WORDS:
        return _WORDS[kind]
    if origin is Annotated:
        return f"{in_words(inner[0])} {_range(inner[1:])}".rstrip()
    if origin is Literal:
        return ", ".join(f"{one}" for one in inner[:-1]) + (" or " if inner[1:] else "") + f"{inner[-1]}"
    if origin in (Union, types.UnionType):
        return ", or ".join(dict.fromkeys(in_words(one) for one in inner))
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return "settings by name"
    if origin in (list, tuple) or (origin is not None and getattr(origin, "__name__", "") in ("Sequence", "Iterable")):
        return f"a list of which each is {in_words(inner[0])}" if inner else "a list"
    return f"a {getattr(kind, '__name__', kind)}"


def _range(metadata: tuple[Any, ...]) -> str:
    limits = [one for group in metadata for one in (group if isinstance(group, GroupedMetadata) else [group])]
    said = []
    for limit in limits:
        match limit:
            case Ge(ge=low):
                said.append(f"of at least {_plain(low)}")
            case Gt(gt=low):
                said.append(f"above {_plain(low)}")
            case Le(le=high):
                said.append(f"of at most {_plain(high)}")
            case Lt(lt=high):
                said.append(f"below {_plain(high)}")
    return " and ".join(said)


def _plain(limit: Any) -> Any:
    return int(limit) if limit == int(limit) else limit
