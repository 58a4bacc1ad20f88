"""Read sizes, and estimate recall on all rows from a sample."""

from __future__ import annotations

import math
import re

_UNITS = {"": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12, "KIB": 2**10, "MIB": 2**20, "GIB": 2**30}


def size_of(text: object) -> int:
    """Return bytes from ``32GB``, ``500 MB``, ``8GiB`` or a number.

    Raises
    ------
    ValueError
        If it is none of those.
    """
    match = re.fullmatch(r"([\d._]+)\s*([KMGT]?i?B?)", str(text).strip(), re.IGNORECASE)
    unit = None if match is None else _UNITS.get(match[2].upper())
    if match is None or unit is None:
        raise ValueError(f"memory: expected a size such as 32GB, 500MB or 8GiB, got {text!r}")
    return int(float(match[1]) * unit)


def estimate(kept: float, quarter: float, factor: float) -> float:
    """Estimate the recall on `factor` times as many rows from that on a quarter and on all of a sample.

    Each fourfold is taken to cost as much as the last: candidates and codes stay as many and as coarse as they are
    while rows crowd. Where a quarter kept less, nothing is gained by more.
    """
    return max(kept - max(quarter - kept, 0.0) * max(math.log(factor, 4), 0.0), 0.0)
