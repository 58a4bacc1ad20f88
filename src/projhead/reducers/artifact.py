"""Write and read an artifact: ``config.json``, ``model.safetensors`` and a card."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save_file

from projhead.codecs.base import BaseCodec
from projhead.persistence.arrays import read_arrays
from projhead.persistence.folder import in_place
from projhead.persistence.record import CARD, Record, read_record

#: Where the codec lies that a head was trained with.
CODEC = "codec"
_KEYS = {"reducer", "head", "fitted", "teacher", "training"}


def write_artifact(
    folder: Path, config: dict[str, Any], arrays: dict[str, NDArray[Any]], card: str, codec: BaseCodec | None
) -> None:
    """Write an artifact whole or not at all, in place of an older one of that name."""
    with in_place(folder, "artifact") as temporary:
        whole = {name: np.asarray(array, order="C") for name, array in arrays.items()}
        save_file(whole, temporary / "model.safetensors")
        if codec is not None:
            codec.save(temporary / CODEC)
        (temporary / CARD).write_text(card, encoding="utf-8")
        Record.of(temporary, "artifact", config).write(temporary)


def read_artifact(folder: Path) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Read an artifact's config and arrays, refusing what is not whole.

    Raises
    ------
    FileNotFoundError
        If there is no artifact.
    ValueError
        If it is damaged, or of another format or version.
    """
    record = read_record(folder, "artifact", _KEYS)
    return record.body, read_arrays(folder / "model.safetensors")
