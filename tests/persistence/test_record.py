"""One record for every kind: what it holds is checked, and so is it."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from projhead.persistence.folder import in_place
from projhead.persistence.record import Record, file_name, holds, read_record

KINDS = ["artifact", "codec", "encoder", "export", "store"]


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def folder(tmp_path: Path, kind: str) -> Path:
    (tmp_path / "part").mkdir()
    (tmp_path / "part" / "weights").write_bytes(b"12345")
    (tmp_path / "README.md").write_text("a card")
    Record.of(tmp_path, kind, {"reducer": "pca"}).write(tmp_path)
    return tmp_path


def test_what_is_written_is_read_and_the_card_may_change(folder: Path, kind: str) -> None:
    (folder / "README.md").write_text("a better card")
    record = read_record(folder, kind, {"reducer"})
    assert (record.body, record.bytes, set(record.files)) == ({"reducer": "pca"}, 5, {"part/weights"})
    assert Record.of(folder, kind, {"reducer": "pca"}) == record  # it does not hold itself
    assert holds(folder, kind)
    with pytest.raises(ValueError, match=r"expected the keys \['head'\]"):
        read_record(folder, kind, {"reducer", "head"})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"version": 4}, "expected version 3, got 4; use the projhead that wrote it"),
        ({"format": "projhead-other"}, "expected a record of format"),
        ({"body": {"reducer": "x"}}, "it was edited, or cut off"),
        ({"files": {}}, "it was edited, or cut off"),
        ({"sha256": "0"}, "it was edited, or cut off"),
        ({"more": 1}, "it was edited, or cut off"),
    ],
)
def test_altered_records_are_refused(change: dict[str, Any], message: str, folder: Path, kind: str) -> None:
    path = folder / file_name(kind)
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(ValueError, match=message):
        read_record(folder, kind, ())


@pytest.mark.parametrize(
    ("name", "message"),
    [("../secret", "inside the folder"), ("/etc/passwd", "refused"), ("gone", "missing or altered")],
)
def test_files_elsewhere_or_missing_are_refused(name: str, message: str, folder: Path, kind: str) -> None:
    Record(kind, {}, {name: {"bytes": 1, "sha256": "0"}}).write(folder)
    with pytest.raises(ValueError, match=message):
        read_record(folder, kind, ())


@pytest.mark.parametrize("content", ["{", "[]", "3", "{}", '"text"', "[" * 100_000, "\udcff"])
def test_what_is_no_record_is_refused(content: str, folder: Path, kind: str) -> None:
    (folder / file_name(kind)).write_bytes(content.encode("utf-8", "surrogateescape"))
    assert not holds(folder, kind)
    with pytest.raises(ValueError, match="damaged"):
        read_record(folder, kind, ())
    (folder / file_name(kind)).unlink()
    with pytest.raises(FileNotFoundError, match=f"no {kind} in .*; "):
        read_record(folder, kind, ())


def test_no_flipped_byte_goes_unseen(folder: Path, kind: str) -> None:
    generator, good = random.Random(0), read_record(folder, kind, ())
    for path in (folder / file_name(kind), folder / "part" / "weights"):
        whole = path.read_bytes()
        for _ in range(40):
            damaged = bytearray(whole)
            damaged[generator.randrange(len(whole))] ^= 1 << generator.randrange(8)
            path.write_bytes(damaged)
            try:
                found = read_record(folder, kind, ())
            except (ValueError, FileNotFoundError):
                continue
            assert found == good  # a blank, for another
        path.write_bytes(whole)


def test_something_else_is_not_replaced(tmp_path: Path, kind: str) -> None:
    (tmp_path / "thing").mkdir()
    (tmp_path / "thing" / "diary.txt").write_text("dear diary")
    with pytest.raises(FileExistsError, match=f"exists and is no {kind}"), in_place(tmp_path / "thing", kind):
        pass
    assert (tmp_path / "thing" / "diary.txt").read_text() == "dear diary"
