"""Damage is told apart from the whole, and wrong arguments leave nothing behind."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.store.stores import Hashing, files, write

from projhead.store.manifest import Manifest
from projhead.store.store import EmbeddingStore


def test_damage_is_told_apart_from_the_whole(tmp_path: Path) -> None:
    write(tmp_path / "s")
    shard = tmp_path / "s" / "data-00001.arrow"
    content = bytearray(shard.read_bytes())
    content[len(content) // 2] ^= 1
    shard.write_bytes(content)
    with pytest.raises(ValueError, match=r"data-00001.arrow is damaged: its sha256 .* encode again"):
        EmbeddingStore.open(tmp_path / "s")
    EmbeddingStore.open(tmp_path / "s", verify=False)  # of the same size
    shard.write_bytes(content[:-8])
    with pytest.raises(ValueError, match=r"data-00001.arrow: expected [\d,]+ bytes, got [\d,]+; delete the store"):
        EmbeddingStore.open(tmp_path / "s", verify=False)
    shard.unlink()
    with pytest.raises(ValueError, match=r"expected [\d,]+ bytes, got 0"):
        EmbeddingStore.open(tmp_path / "s", verify=False)


def test_damage_is_told_when_going_on(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError):
        write(tmp_path / "s", Hashing(fail_after=40))
    shard = tmp_path / "s" / "data-00000.arrow"
    content = bytearray(shard.read_bytes())
    content[len(content) // 2] ^= 1
    shard.write_bytes(content)
    with pytest.raises(ValueError, match=r"data-00000.arrow is damaged"):
        write(tmp_path / "s")


def test_a_shard_that_is_not_what_the_manifest_says_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "s")
    write(tmp_path / "t", dtype="float32")
    manifest, other = Manifest.read(tmp_path / "s"), Manifest.read(tmp_path / "t")
    manifest.shards = other.shards
    manifest.write(tmp_path / "t")
    with pytest.raises(ValueError, match=r"embedding as fixed_size_list<item: halffloat>\[16\]"):
        EmbeddingStore.open(tmp_path / "t")


def test_wrong_arguments_leave_nothing_behind(tmp_path: Path) -> None:
    for options, message in (
        ({"dtype": "int8"}, "expected one of float16, float32, got 'int8'"),
        ({"shard_rows": 0}, "expected a positive number, got 0"),
        ({"documents": []}, "docs: expected at least one document, got none"),
    ):
        with pytest.raises(ValueError, match=message):
            write(tmp_path / "s", **options)  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "s").mkdir()
    (tmp_path / "s" / "thesis.txt").write_text("precious")
    with pytest.raises(ValueError, match=r"is not a store, and not empty \(thesis.txt\)"):
        write(tmp_path / "s")
    assert files(tmp_path / "s") == {"thesis.txt": b"precious"}
    with pytest.raises(FileNotFoundError, match="no store in"):
        EmbeddingStore.open(tmp_path / "none")
