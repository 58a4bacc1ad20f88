"""Encoders in other processes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from projhead.persistence.registry import parameters_of


class MadeAgain:
    """An encoder that is pickled as its arguments: another process builds it anew.

    Sessions of a runtime cannot be pickled, and weights need not travel.

    What it names must be there under the same path. Whoever uses it compares its identity.
    """

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[type[Any], Mapping[str, Any]]]:
        return _made, (type(self), parameters_of(self))


def _made(cls: type[Any], parameters: Mapping[str, Any]) -> Any:
    return cls(**parameters)
