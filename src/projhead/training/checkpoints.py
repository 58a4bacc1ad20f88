"""Read the latest checkpoint that is whole.

A checkpoint of torch is a zip. Its comment, which ends the file, is the digest of all before it: the zip's own check
sums leave out what lies between its members.
"""

from __future__ import annotations

import hashlib
import io
import logging
import os
import re
import zipfile
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning.plugins.io import TorchCheckpointIO

from projhead.errors import UserError
from projhead.persistence.files import atomic_file

_LAST, _BEFORE, _BEST = "last.ckpt", "last-before.ckpt", "best.ckpt"
#: Bytes of a digest in hexadecimal digits, and of the length of a comment, which ends a zip that has none.
_MARK, _LENGTH = 64, 2


class WholeCheckpoints(TorchCheckpointIO):
    """Write a checkpoint under another name, sync it and rename it; keep the last before it, too."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        """Write `checkpoint` to `path`, whole or not at all."""
        with atomic_file(Path(path)) as temporary:
            # By way of memory: torch tells of a full disk in words of its own.
            torch.save(checkpoint, content := io.BytesIO())
            whole = content.getbuffer()
            whole[-_LENGTH:] = _MARK.to_bytes(_LENGTH, "little")
            with temporary.open("wb") as file:
                file.write(whole)
                file.write(hashlib.sha256(whole).hexdigest().encode())
            if Path(path).name == _LAST and Path(path).exists():
                os.replace(path, Path(path).with_name(_BEFORE))


def checkpoint_at(path: str | Path | None) -> Path | None:
    """Return the path of the checkpoint to go on from, if there is such a file; None where none is asked for.

    Raises
    ------
    UserError
        If there is no such file.
    """
    if path is None:
        return None
    if not Path(path).is_file():
        raise UserError(f"ckpt_path: no file {path}; expected a checkpoint, such as checkpoints/last.ckpt of a run")
    print(f"going on from {path}")
    return Path(path)


def last_checkpoint(folder: Path) -> Path | None:
    """Return the newest checkpoint to go on from; none where there is none, or none that is whole.

    Damaged ones are named and taken away.
    """
    if damage := _damage(folder / _BEST):
        # What was best is lost, and a run gone on with would wait for a better one.
        _drop(folder / _BEST, damage, "training from the start")
        for name in (_LAST, _BEFORE):
            (folder / name).unlink(missing_ok=True)
    for name, then in ((_LAST, "trying the one before"), (_BEFORE, "training from the start")):
        file = folder / name
        if damage := _damage(file):
            _drop(file, damage, then)
        elif file.is_file():
            print(f"going on from {file}")
            return file
    return None


def _damage(file: Path) -> str:
    """Return what is wrong with a checkpoint; nothing where there is no file."""
    if not file.is_file():
        return ""
    content = file.read_bytes()
    mark, whole = content[-_MARK:], memoryview(content)[:-_MARK]
    if re.fullmatch(rb"[0-9a-f]{64}", mark):
        return "" if hashlib.sha256(whole).hexdigest().encode() == mark else "it is not what was written"
    try:  # of an older projhead, by the check sums of the zip
        with zipfile.ZipFile(io.BytesIO(content)) as members:
            bad = members.testzip()
    except (zipfile.BadZipFile, EOFError, ValueError, NotImplementedError, OSError) as error:
        return str(error) or type(error).__name__
    return f"bad check sum of {bad}" if bad else ""


def _drop(file: Path, damage: str, then: str) -> None:
    logging.getLogger(__name__).warning("%s is damaged (%s): %s", file, damage, then)
    file.unlink()
