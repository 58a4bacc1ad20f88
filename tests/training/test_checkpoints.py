"""Checkpoints under a digest."""

from __future__ import annotations

import io
import logging
from pathlib import Path

import pytest
import torch

from projhead.training.checkpoints import WholeCheckpoints, last_checkpoint


def _saved(folder: Path, step: int) -> Path:
    WholeCheckpoints().save_checkpoint({"step": step, "weight": torch.arange(8.0)}, folder / "last.ckpt")
    return folder / "last.ckpt"


def test_a_changed_byte_anywhere_gives_the_one_before_and_a_whole_one_loads(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    _saved(tmp_path, 1)
    last = _saved(tmp_path, 2)
    content, before = last.read_bytes(), tmp_path / "last-before.ckpt"
    assert torch.load(last, weights_only=True)["step"] == 2
    assert last_checkpoint(tmp_path) == last
    with caplog.at_level(logging.ERROR):
        for place in range(0, len(content) - 64, 37):  # what is between members too; the last 64 are the digest
            changed = bytearray(content)
            changed[place] ^= 32
            last.write_bytes(changed)
            assert last_checkpoint(tmp_path) == before, place
    assert torch.load(before, weights_only=True)["step"] == 1


def test_a_checkpoint_of_an_older_version_is_gone_on_from_where_its_members_are_whole(tmp_path: Path) -> None:
    torch.save({"step": 1}, content := io.BytesIO())
    last = tmp_path / "last.ckpt"
    last.write_bytes(content.getvalue())
    assert last_checkpoint(tmp_path) == last
    last.write_bytes(content.getvalue()[:-200])
    assert last_checkpoint(tmp_path) is None
