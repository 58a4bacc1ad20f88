"""A head trained by two processes, as a user types it, equals one process's."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from projhead.commands.in_process import run_verb
from projhead.reducers.base import load_reducer
from projhead.reducers.learned import LearnedReducer
from projhead.vectors import unit_rows

pytestmark = pytest.mark.slow


def test_two_processes_train_what_one_trains(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    generator = np.random.default_rng(0)
    rows = generator.normal(size=(400, 12)) @ generator.normal(size=(12, 48)) + 0.2 * generator.normal(size=(400, 48))
    rows = unit_rows(rows)
    np.save(tmp_path / "vectors.npy", rows)
    settings = [
        "encoder=precomputed", f"encoder.path={tmp_path / 'vectors.npy'}", "n_components=8", "trainer.max_steps=4",
        "codec=int8", "reducer.n_documents=64", "reducer.n_anchors=32", "reducer.n_queries=1",
        "trainer.accelerator=cpu", f"paths.root={tmp_path}", "~baselines.pca_power",
    ]  # fmt: skip
    command = [sys.executable, "-m", "projhead.cli", "train", *settings, "trainer.devices=2", "+trainer.strategy=ddp"]
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    two = subprocess.Popen(
        [*command, f"run_dir={tmp_path / 'two'}"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env=environment,
    )  # fmt: skip
    run_verb("train", settings, tmp_path / "one")
    capsys.readouterr()
    printed, errors = two.communicate(timeout=600)
    assert two.returncode == 0, errors
    assert printed.count("fit learned") == printed.count("artifact: ") == 1, "the first process alone prints"
    alone, shared = (load_reducer(tmp_path / folder / "artifact") for folder in ("one", "two"))
    # Not weights: Adam gives those whose gradient is nothing but rounding its full rate too, in either direction.
    reduced = alone.transform(rows)
    np.testing.assert_allclose(shared.transform(rows), reduced, atol=1e-4)
    assert np.abs(LearnedReducer(8, blend=0.0, max_steps=1).fit(rows).transform(rows) - reduced).max() > 1e-2
    codes = (one.codec_.encode(reduced) for one in (alone, shared))
    assert np.mean(np.not_equal(*codes)) < 0.01
    assert sorted(path.name for path in (tmp_path / "two").iterdir()) == sorted(
        path.name for path in (tmp_path / "one").iterdir()
    )
    assert shared.training_["steps"] == 4
