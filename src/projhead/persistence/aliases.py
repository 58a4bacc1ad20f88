"""Class names of older versions; changed arguments are the class's ``upgrade``."""

from __future__ import annotations

ALIASES = {
    "index/TwoStageIndex": "index/RescoreIndex",
    "loss/NeighbourKL": "loss/NeighborKL",
    "task/Fidelity": "task/NeighborOverlap",
}
