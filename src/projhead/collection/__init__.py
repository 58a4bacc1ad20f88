"""Stores, the index over them and the encoder that made them, as one thing to search."""

from projhead.collection.collection import Collection
from projhead.collection.hit import Hit

__all__ = ["Collection", "Hit"]
