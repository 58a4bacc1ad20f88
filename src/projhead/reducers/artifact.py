"""A fitted reducer on disk: ``config.json``, ``model.safetensors`` and a card, no pickle anywhere."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from projhead.persistence.arrays import read_tensors
from projhead.persistence.folder import in_place
from projhead.persistence.record import CARD, Record, read_record

_KEYS = {"reducer", "head", "fitted", "teacher", "training"}


@dataclass(frozen=True)
class Teacher:
    """Which encoder a reducer was fitted to.

    Attributes
    ----------
    name : str
        For people: a model name or a path.
    revision : str
        For programs: a digest of the encoder's files, equal only if its vectors are; what it computes in, where that
        is not what its files hold, stands behind it.
    dimension : int
        Width d of its vectors.
    """

    name: str
    revision: str
    dimension: int

    def is_of(self, revision: str) -> bool:
        """Say whether an encoder's revision is this teacher's, whatever both compute in."""
        return self.revision.partition("-")[0] == revision.partition("-")[0]


def write_artifact(folder: Path, config: dict[str, Any], tensors: dict[str, torch.Tensor], card: str) -> None:
    """Write an artifact whole or not at all, in place of an older one of that name."""
    with in_place(folder, "artifact") as temporary:
        whole = {name: tensor.detach().contiguous().cpu() for name, tensor in tensors.items()}
        save_file(whole, temporary / "model.safetensors")
        (temporary / CARD).write_text(card, encoding="utf-8")
        Record.of(temporary, "artifact", config).write(temporary)


def read_artifact(folder: Path) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    """Read an artifact's config and tensors, refusing what is not whole.

    Raises
    ------
    FileNotFoundError
        If there is no artifact.
    ValueError
        If it is damaged, or of another format or version.
    """
    record = read_record(folder, "artifact", _KEYS)
    return record.body, read_tensors(folder / "model.safetensors")


def read_teacher(record: Any) -> Teacher | None:
    """Return the teacher that a config records, None where the reducer saw bare arrays."""
    if record is None:
        return None
    try:
        return Teacher(str(record["name"]), str(record["revision"]), int(record["dimension"]))
    except (TypeError, KeyError, ValueError) as error:
        raise ValueError(f"expected a teacher with name, revision and dimension, got {record!r:.200}") from error
