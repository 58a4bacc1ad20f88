"""Documents to search: stores, an index over them, and their encoder."""

from projhead.collection.collection import Collection
from projhead.collection.hit import Hit

__all__ = ["Collection", "Hit"]
