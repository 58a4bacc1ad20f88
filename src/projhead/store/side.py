"""The side of an encoder that a store holds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from projhead.protocols import Encoder
from projhead.vectors import Vectors

#: Texts that ask, texts that are searched, texts that do neither.
Side = Literal["query", "document", "plain"]
#: What a store holds of an encoder whose sides do not differ.
BOTH = "both"
_METHODS = {"query": "encode_query", "document": "encode_document", "plain": "encode", BOTH: "encode"}
SIDES = tuple(_METHODS)


def side_of(encoder: Encoder, side: Side) -> str:
    """Return the side as a store records it: ``"both"`` where the encoder makes no difference."""
    return side if encoder.two_sided else BOTH


def way_of(encoder: Encoder, side: str) -> Callable[..., Vectors]:
    """Return what encodes the texts of a side as `side_of` gives it."""
    way: Callable[..., Vectors] = getattr(encoder, _METHODS[side])
    return way
