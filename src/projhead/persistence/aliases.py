"""What was called otherwise in records of older versions. A class whose arguments changed has ``upgrade`` for that."""

from __future__ import annotations

ALIASES = {
    "index/TwoStageIndex": "index/RescoreIndex",
    "loss/NeighbourKL": "loss/NeighborKL",
    "task/Fidelity": "task/NeighborOverlap",
}
