from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from projhead.persistence.files import atomic_file, atomic_folder, read_json, sha256_of, write_json


def test_sha256_is_that_of_the_bytes(tmp_path: Path) -> None:
    content = b"abc" * 700_000  # more than one block
    (tmp_path / "f").write_bytes(content)
    assert sha256_of(tmp_path / "f") == hashlib.sha256(content).hexdigest()


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "settings.json"
    write_json(path, {"a": 1})
    with pytest.raises(RuntimeError, match="interrupted"), atomic_file(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError("interrupted")
    assert path.read_text() == '{\n  "a": 1\n}\n'
    assert list(path.parent.iterdir()) == [path]


def test_a_failed_folder_leaves_the_old_one_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "artifact"
    with atomic_folder(path) as temporary:
        (temporary / "model").write_text("old")
    with pytest.raises(RuntimeError, match="interrupted"), atomic_folder(path) as temporary:
        (temporary / "model").write_text("new")
        raise RuntimeError("interrupted")
    assert (path / "model").read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_new_folder_replaces_the_old_one_whole(tmp_path: Path) -> None:
    path = tmp_path / "artifact"
    for name in ("old", "new"):
        with atomic_folder(path) as temporary:
            (temporary / name).write_text(name)
    assert [file.name for file in path.iterdir()] == ["new"]
    assert list(tmp_path.iterdir()) == [path]


GOOD = {"format": "projhead-thing", "version": 2, "width": 3}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (json.dumps(GOOD | {"version": 1}), "expected version 2, got 1; use a matching projhead, or make it again"),
        (
            json.dumps(GOOD | {"format": "other"}),
            "damaged: expected a record of format 'projhead-thing'; make it again",
        ),
        (json.dumps({"format": "projhead-thing", "version": 2}), r"expected the keys \['width'\].*; make it again"),
        (json.dumps(GOOD)[:-3], "damaged: .*; make it again"),
        ("[1]", "damaged: expected a record"),
        ("\udcff", "damaged: .*utf-8"),
    ],
)
def test_only_a_record_as_expected_is_read(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "thing.json"
    with pytest.raises(FileNotFoundError, match=r"no thing in .*: expected .*thing.json; make it again"):
        read_json(path, "projhead-thing", 2, {"width"}, "make it again")
    write_json(path, GOOD | {"more": 1})
    assert read_json(path, "projhead-thing", 2, {"width"}, "make it again") == GOOD | {"more": 1}
    path.write_bytes(content.encode("utf-8", "surrogateescape"))
    with pytest.raises(ValueError, match=message):
        read_json(path, "projhead-thing", 2, {"width"}, "make it again")
