"""Runs: whose folder it is, and how one that was cut off goes on."""

from __future__ import annotations

import json
import logging
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from tests.verbs import projhead

from projhead.commands.in_process import run_verb
from projhead.corpora.split import in_test
from projhead.errors import UserError
from projhead.reducers.base import load_reducer
from projhead.report.results import read_results
from projhead.vectors import Vectors, unit_rows

SMALL = ["n_components=4", "head=linear", "reducer.blend=1",
         "reducer.steps_per_epoch=5", "reducer.n_documents=64", "reducer.n_queries=16",
         "reducer.n_anchors=16"]  # fmt: skip


def run(folder: Path, *overrides: str) -> float:
    return run_verb("train", overrides, folder)


@pytest.fixture
def vectors(tmp_path: Path) -> list[str]:
    np.save(tmp_path / "v.npy", unit_rows(np.random.default_rng(0).normal(size=(300, 16))))
    return ["encoder=precomputed", f"encoder.path={tmp_path / 'v.npy'}", *SMALL, "trainer.max_steps=10"]


def head(folder: Path) -> Vectors:
    """Return what the head makes of the unit vectors."""
    return load_reducer(folder / "artifact").transform(np.eye(16))


def test_files_of_the_users_stay_until_he_says_overwrite(tmp_path: Path, vectors: list[str]) -> None:
    folder = tmp_path / "his"
    (folder / "baselines").mkdir(parents=True)
    (folder / "results.jsonl").write_text("his")
    (folder / "baselines" / "notes.txt").write_text("his")
    (folder / "settings.json").write_text('{"editor": "vim"}')
    with pytest.raises(FileExistsError, match=r"his is not empty \(baselines\), and not a run: .*overwrite=true"):
        run(folder, *vectors)
    assert (folder / "results.jsonl").read_text() == (folder / "baselines" / "notes.txt").read_text() == "his"
    run(folder, *vectors, "overwrite=true")
    assert read_results(folder / "results.jsonl")
    assert not (folder / "baselines" / "notes.txt").exists()


def test_a_first_try_that_fails_stands_in_no_ones_way(tmp_path: Path, vectors: list[str]) -> None:
    with pytest.raises(FileNotFoundError, match="nowhere"):
        run(tmp_path / "run", "corpus=file", f"corpus.path={tmp_path / 'nowhere.txt'}", *SMALL)
    run(tmp_path / "run", *vectors)
    assert head(tmp_path / "run").shape == (16, 4)


def test_settings_that_training_refuses_stand_in_no_ones_way(tmp_path: Path, vectors: list[str]) -> None:
    with pytest.raises(ValueError, match="n_components: expected 1 to n_features = 16, the teacher's width, got 400"):
        run(tmp_path / "run", *vectors, "n_components=400")
    assert not list((tmp_path / "run").iterdir())
    run(tmp_path / "run", *vectors)
    assert (tmp_path / "run" / "artifact").is_dir()


def test_a_run_goes_on_with_its_own_settings(tmp_path: Path, vectors: list[str]) -> None:
    run(tmp_path / "run", *vectors, "seed=3")
    whole = head(tmp_path / "run")
    for made in ("artifact", "baselines", "checkpoints/last.ckpt"):  # as after a kill at the half
        path = tmp_path / "run" / made
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    run(tmp_path / "run", "max_test_rows=30")  # what is given goes before what was
    np.testing.assert_allclose(head(tmp_path / "run"), whole, atol=1e-6)
    assert read_results(tmp_path / "run" / "results.jsonl")[0].n == 30
    run(tmp_path / "run")  # finished: only told
    with pytest.raises(UserError, match=r"another run_dir, or overwrite=true"):
        run(tmp_path / "run", "n_components=5")
    run(tmp_path / "run", *vectors, "n_components=5", "overwrite=true")
    assert head(tmp_path / "run").shape == (16, 5)


@pytest.mark.parametrize("damage", ["empty", "truncated", "flipped", "both", "best"])
def test_a_damaged_checkpoint_is_named_and_the_one_before_taken(
    tmp_path: Path,
    vectors: list[str],
    damage: str,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    run(tmp_path / "run", *vectors)
    whole = head(tmp_path / "run")
    shutil.rmtree(tmp_path / "run" / "artifact")
    last = tmp_path / "run" / "checkpoints" / ("best.ckpt" if damage == "best" else "last.ckpt")
    content = bytearray(last.read_bytes())
    if damage in ("flipped", "best"):
        content[len(content) // 3] ^= 1
    last.write_bytes(content if damage in ("flipped", "best") else content[:9] if damage == "truncated" else b"")
    if damage == "both":
        last.with_name("last-before.ckpt").write_bytes(b"")
    capsys.readouterr()
    with caplog.at_level(logging.WARNING):
        run(tmp_path / "run")
    assert f"{last} is damaged (" in caplog.text
    assert ("last-before.ckpt" in capsys.readouterr().out) == (damage not in ("both", "best"))
    np.testing.assert_allclose(head(tmp_path / "run"), whole, atol=1e-6)


def test_damaged_settings_are_named_and_may_be_given_again(
    tmp_path: Path, vectors: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    run(tmp_path / "run", *vectors)
    shutil.rmtree(tmp_path / "run" / "artifact")
    (tmp_path / "run" / "settings.json").write_text('{"format": "projh')
    with pytest.raises(UserError, match=r"settings\.json is damaged \(.*\): give the run's settings again to go on"):
        run(tmp_path / "run")
    run(tmp_path / "run", *vectors)
    assert "settings.json is damaged" in caplog.text
    assert json.loads((tmp_path / "run" / "settings.json").read_text())["body"]["settings"]["n_components"] == 4


@pytest.mark.parametrize("held_out", [0, 1, 2, 5])
def test_few_held_out_rows_are_measured_at_what_they_have_or_refused_before(tmp_path: Path, held_out: int) -> None:
    kept = [text for text in map(str, range(2000)) if not in_test(text)][:100]
    left = [text for text in map(str, range(2000)) if in_test(text)][:held_out]
    (tmp_path / "t.txt").write_text("\n".join(kept + left))
    np.save(tmp_path / "v.npy", unit_rows(np.random.default_rng(0).normal(size=(100 + held_out, 16))))
    given = ["encoder=precomputed", f"encoder.path={tmp_path / 'v.npy'}", f"encoder.texts={tmp_path / 't.txt'}",
             "reducer=pca", "n_components=4"]  # fmt: skip
    if held_out < 2:
        with pytest.raises(
            ValueError, match=f"expected at least 2 held-out vectors .*, got {held_out}; give more rows that differ$"
        ):
            run(tmp_path / "run", *given)
        assert not list((tmp_path / "run").iterdir())
    else:
        overlap = run(tmp_path / "run", *given)
        assert 0 <= overlap <= 1
        assert {row.metric for row in read_results(tmp_path / "run" / "results.jsonl")} == {"overlap@1"}


def test_sigterm_ends_with_its_status_and_the_line_that_goes_on(tmp_path: Path, vectors: list[str]) -> None:
    command = [sys.executable, "-m", "projhead.cli", "train", *vectors[:-1], "trainer.max_steps=100000",
               "callbacks.early_stopping.patience=100000", f"run_dir={tmp_path / 'run'}"]  # fmt: skip
    process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    last, deadline = tmp_path / "run" / "checkpoints" / "last.ckpt", time.monotonic() + 120
    while not last.exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    said = process.communicate(timeout=60)[1]
    assert process.returncode == 143, said
    assert f"terminated; go on: projhead train run_dir={tmp_path / 'run'}" in said
    assert "Traceback" not in said
    assert not (tmp_path / "run" / "artifact").exists()
    assert "going on from" in projhead("train", f"run_dir={tmp_path / 'run'}", "trainer.max_steps=1")
    assert head(tmp_path / "run").shape == (16, 4)
