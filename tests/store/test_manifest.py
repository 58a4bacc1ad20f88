from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import edit

from projhead.persistence.identity import EncoderIdentity
from projhead.persistence.record import _digest
from projhead.store.manifest import Manifest, Shard


@pytest.fixture
def manifest(tmp_path: Path) -> Manifest:
    encoder = EncoderIdentity("toy", "0123", 8)
    shards = [Shard("data-00000.arrow", 5, 700, "ab", "cd"), Shard("data-00001.arrow", 2, 300, "ef", "gh")]
    written = Manifest(encoder, {"name": "c", "fingerprint": "f"}, "float16", 5, True, shards, complete=True)
    written.write(tmp_path)
    return written


def test_it_comes_back_as_it_was(manifest: Manifest, tmp_path: Path) -> None:
    assert Manifest.read(tmp_path) == manifest
    assert manifest.rows == 7


@pytest.mark.parametrize(
    "changes",
    [
        {"more": 1},
        {"dtype": "int8"},
        {"shard_rows": "5"},
        {"shards": []},
        {"shards": [{"file": "data-00000.arrow"}]},
        {"shards": [{"file": "../x.arrow", "rows": 5, "bytes": 7, "sha256": "", "documents": ""}]},
        {"shards": [{"file": "data-00000.arrow", "rows": -5, "bytes": 7, "sha256": "", "documents": ""}]},
        {
            "shards": [
                {"file": "data-00000.arrow", "rows": 5, "bytes": 7, "sha256": "", "documents": "", "clipped": "1"}
            ]
        },
        {"encoder": {"name": "toy", "dimension": 8}},
        {"encoder": {"name": "toy", "fingerprint": "0123", "dimension": 0, "spec": None}},
        {"corpus": "c"},
    ],
)
def test_what_was_never_written_is_refused(manifest: Manifest, tmp_path: Path, changes: dict[str, Any]) -> None:
    edit(tmp_path, "store", **changes)
    with pytest.raises(ValueError, match=r"manifest.json(:| is damaged:) .*; .*encode"):
        Manifest.read(tmp_path)


def test_text_that_cannot_be_written_again_is_refused(manifest: Manifest, tmp_path: Path) -> None:
    file = tmp_path / "manifest.json"
    record = json.loads(file.read_text())
    record["body"]["shards"][0]["documents"] = "\ud800"
    record["sha256"] = _digest({key: one for key, one in record.items() if key != "sha256"})
    file.write_text(json.dumps(record))
    with pytest.raises(ValueError, match=r"manifest.json is damaged: .*surrogates not allowed; delete the store"):
        Manifest.read(tmp_path)


def test_half_a_file_or_none(manifest: Manifest, tmp_path: Path) -> None:
    path = tmp_path / "manifest.json"
    path.write_text(path.read_text()[:50])
    with pytest.raises(ValueError, match=r"manifest.json is damaged"):
        Manifest.read(tmp_path)
    path.write_text("[]")
    with pytest.raises(ValueError, match=r"manifest.json is damaged"):
        Manifest.read(tmp_path)
    path.unlink()
    with pytest.raises(
        FileNotFoundError, match=r"no store in .*expected .*manifest.json; write one .*'projhead encode'"
    ):
        Manifest.read(tmp_path)
