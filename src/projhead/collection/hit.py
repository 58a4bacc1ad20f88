"""One answer of a search."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple


class Hit(NamedTuple):
    """A document that was found.

    Attributes
    ----------
    id, text : str
        The text is empty where the store keeps none.
    score : float
        Inner product with the query.
    columns : mapping of str to object
        What else the store keeps of it.
    """

    id: str
    score: float
    text: str
    columns: Mapping[str, Any] = MappingProxyType({})
