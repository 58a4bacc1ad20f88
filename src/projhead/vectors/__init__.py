"""Unit rows and their neighbors."""

from projhead.vectors.neighbors import exact_top_k, neighbor_overlap
from projhead.vectors.unit import Vectors, unit_rows

__all__ = ["Vectors", "exact_top_k", "neighbor_overlap", "unit_rows"]
