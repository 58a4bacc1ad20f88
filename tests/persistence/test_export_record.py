from __future__ import annotations

import json
from pathlib import Path

import pytest

from projhead.persistence.export_record import read_record, write_record


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "part").mkdir()
    (tmp_path / "part" / "weights").write_bytes(b"12345")
    (tmp_path / "README.md").write_text("a card")
    write_record(tmp_path, {"reducer": "pca"})
    return tmp_path


def test_what_is_written_is_read_and_the_card_may_change(folder: Path) -> None:
    (folder / "README.md").write_text("a better card")
    record = read_record(folder)
    assert (record["reducer"], record["bytes"], set(record["sha256"])) == ("pca", 5, {"part/weights"})
    assert write_record(folder, {"reducer": "pca"}) == record  # it does not hold itself


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"version": 2}, "expected version 1, got 2; use a matching projhead"),
        ({"format": "other"}, "expected a record of format 'projhead-export'"),
        ({"sha256": ["part/weights"]}, "damaged"),
        ({"sha256": {"../secret": "0"}}, r"inside the folder, got '\.\./secret': refused"),
        ({"sha256": {"/etc/passwd": "0"}}, "inside the folder"),
        ({"sha256": {"part/weights": "0"}}, "missing or altered"),
    ],
)
def test_altered_records_are_refused(change: dict[str, object], message: str, folder: Path) -> None:
    record = json.loads((folder / "export.json").read_text())
    (folder / "export.json").write_text(json.dumps({**record, **change}))
    with pytest.raises(ValueError, match=message):
        read_record(folder)


@pytest.mark.parametrize("content", ["{", "[]", "3", '{"format": "projhead-export", "version": 1}', '"text"'])
def test_what_is_no_record_is_refused(content: str, folder: Path) -> None:
    (folder / "export.json").write_text(content)
    with pytest.raises(ValueError, match="damaged"):
        read_record(folder)
