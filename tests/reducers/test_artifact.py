from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.conftest import edit

from projhead.data import Document
from projhead.encoders.one_sided import OneSided
from projhead.persistence.identity import EncoderIdentity
from projhead.reducers.base import load_reducer
from projhead.reducers.pca import PCA
from projhead.store.write import write_store
from projhead.vectors import Vectors, unit_rows


@pytest.fixture
def artifact(tmp_path: Path, rows: Vectors) -> Path:
    PCA(8).fit(rows).save(tmp_path / "artifact", teacher=EncoderIdentity("t", "0123", 32), card="# card")
    return tmp_path / "artifact"


def test_a_reducer_comes_back_whole(artifact: Path, rows: Vectors) -> None:
    original, loaded = PCA(8).fit(rows), load_reducer(artifact)
    np.testing.assert_array_equal(loaded.transform(rows), original.transform(rows))
    np.testing.assert_array_equal(loaded.components_, original.components_)
    assert loaded.get_params() == original.get_params()
    assert loaded.teacher_ == EncoderIdentity("t", "0123", 32)
    assert sorted(path.name for path in artifact.iterdir()) == [
        "README.md",
        "config.json",
        "model.safetensors",
    ]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"reducer": {"class": "os.system", "parameters": {}}}, "refused"),
        ({"head": {"class": "torch.nn.Linear", "parameters": {}}}, "refused"),
        ({"head": {"class": "projhead.heads.linear.Linear",
                   "parameters": {"in_features": 10**9, "out_features": 10**9}}}, "do not fit"),
        ({"head": {"class": "head/Linear", "parameters": None}}, "with 'class' and 'parameters'"),
        ({"head": {"class": "head/Linear", "parameters": "../head"}}, "with 'class' and 'parameters'"),
        ({"head": {"class": "head/Linear", "parameters": {"in_features": 32, "out_features": -1}}}, "do not fit"),
        ({"fitted": {"n_features_in_": True}}, "expected n_features_in_=32, got True: refused"),
        ({"fitted": {"n_features_in_": "../../etc"}}, "expected n_features_in_=32, got '../../etc': refused"),
        ({"fitted": {"n_features_in_": 31}}, "expected n_features_in_=32, got 31: refused"),
        ({"fitted": {"transform": 1}}, "refused"),
        ({"fitted": {"__class__": 1}}, "refused"),
        ({"teacher": {"name": "x"}}, "expected an encoder with"),
    ],
)  # fmt: skip
def test_a_tampered_config_is_refused(artifact: Path, changes: dict[str, object], message: str) -> None:
    edit(artifact, "artifact", **changes)
    with pytest.raises(ValueError, match=message):
        load_reducer(artifact)


@pytest.mark.parametrize(
    ("edited", "message"),
    [
        (lambda raw: raw["body"].update(teacher=None), "it was edited"),
        (lambda raw: raw["body"]["reducer"]["parameters"].update(n_components=16), "it was edited"),
        (lambda raw: raw["files"]["model.safetensors"].update(sha256="0"), "it was edited"),
        (lambda raw: raw.pop("sha256"), "sha256"),
        (lambda raw: raw.update(format="other"), "format"),
        (lambda raw: raw.update(version=4), "expected version 3, got 4"),
    ],
)
def test_an_edited_config_is_refused(artifact: Path, edited: Callable[[Any], object], message: str) -> None:
    raw = json.loads((artifact / "config.json").read_text())
    edited(raw)
    (artifact / "config.json").write_text(json.dumps(raw))
    with pytest.raises(ValueError, match=message):
        load_reducer(artifact)


def test_no_flipped_byte_gives_a_wrong_answer_in_silence(artifact: Path, rows: Vectors) -> None:
    expected = load_reducer(artifact).transform(rows[:5])
    generator = random.Random(0)
    for name in ("model.safetensors", "config.json"):
        whole = (artifact / name).read_bytes()
        for _ in range(60):
            damaged = bytearray(whole)
            damaged[generator.randrange(len(whole))] ^= 1 << generator.randrange(8)
            (artifact / name).write_bytes(damaged)
            try:
                found = load_reducer(artifact).transform(rows[:5])
            except ValueError:
                continue
            np.testing.assert_array_equal(found, expected)
        (artifact / name).write_bytes(whole)


def test_missing_and_truncated_files_are_refused(artifact: Path, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no artifact"):
        load_reducer(tmp_path / "nothing")
    weights = artifact / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-8])
    with pytest.raises(ValueError, match="damaged"):
        load_reducer(artifact)
    weights.unlink()
    with pytest.raises(ValueError, match="missing"):
        load_reducer(artifact)


class _Digits(OneSided):
    def __init__(self, fingerprint: str) -> None:
        self.name, self.dimension = "digits", 4
        self.identity = EncoderIdentity("digits", fingerprint, 4)

    def encode(self, texts: Sequence[str], *, show_progress: bool = False) -> Vectors:
        return unit_rows([np.random.default_rng([*map(ord, text)]).normal(size=4) for text in texts])


def test_a_reducer_fitted_from_a_store_knows_its_teacher(tmp_path: Path) -> None:
    documents = [Document(str(number), f"text {number}") for number in range(30)]
    stores = [write_store(tmp_path / revision, _Digits(revision), documents) for revision in ("aa", "bb")]
    PCA(2).fit(stores[0]).save(tmp_path / "artifact")
    loaded = load_reducer(tmp_path / "artifact")
    assert loaded.teacher_ == EncoderIdentity("digits", "aa", 4)
    np.testing.assert_array_equal(loaded.transform(stores[0]), loaded.transform(stores[0].rows))
    with pytest.raises(ValueError, match=r"of digits \(fingerprint aa, .* got those of digits \(fingerprint bb"):
        loaded.transform(stores[1])


def test_whoever_loads_a_reducer_of_an_unknown_teacher_is_told_once(
    rows: Vectors, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    PCA(2).fit(rows).save(tmp_path / "bare")
    for _ in range(2):
        assert load_reducer(tmp_path / "bare").teacher_ is None
    assert [record.message.split(":")[0] for record in caplog.records] == [
        f"{tmp_path / 'bare'} was fitted to a bare array, of an unknown teacher"
    ]
    PCA(2).fit(rows).save(tmp_path / "known", teacher=EncoderIdentity("t", "0123", 32))
    load_reducer(tmp_path / "known")
    assert len(caplog.records) == 1
