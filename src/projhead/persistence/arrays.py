"""Read arrays from untrusted files: numbers only, never objects."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file


def read_array(path: Path, *, mapped: bool = False) -> NDArray[Any]:
    """Read a .npy file of numbers, memory-mapped if so asked.

    Raises
    ------
    ValueError
        If it is something else, a pickle for example, or cut off.
    """
    try:
        found = np.load(path, mmap_mode="r" if mapped else None, allow_pickle=False)
    except (ValueError, EOFError, OverflowError, TypeError) as error:
        # NumPy's own advice is to load pickles: it is not repeated.
        reason = str(error) if "pickle" not in str(error) else "it holds no plain numbers"
        raise ValueError(f"{path}: expected a whole .npy file of numbers: {reason.splitlines()[0]}") from error
    if not isinstance(found, np.ndarray) or found.dtype.kind not in "fiub":
        raise ValueError(
            f"{path}: expected a .npy file of numbers, got {getattr(found, 'dtype', type(found).__name__)}"
        )
    return found


def read_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """Read a .safetensors file.

    Raises
    ------
    ValueError
        If it is none, is cut off, or holds floats that numpy lacks.
    """
    try:
        return load_file(path)
    except (SafetensorError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise ValueError(f"{path}: expected a whole .safetensors file of numpy's floats: {error}") from error
