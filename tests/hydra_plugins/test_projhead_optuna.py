"""A sweep that is killed and started again, as a Hydra program of a few lines."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from projhead.settings.options import conf_dir

pytestmark = pytest.mark.slow

pytest.importorskip("optuna")

PROGRAM = """
import hydra, os, signal
from hydra.core.hydra_config import HydraConfig
from pathlib import Path

@hydra.main(version_base="1.3", config_path=".", config_name="config")
def main(cfg):
    number, top = HydraConfig.get().job.num, Path(HydraConfig.get().sweep.dir)
    with (top / "log").open("a") as log:
        log.write(f"{number} {cfg.x} {cfg.kind} {cfg.width}\\n")
    deadly = top / f"kill-{number}"
    if deadly.exists():
        deadly.unlink()
        os.kill(os.getpid(), signal.SIGKILL)
    return -((cfg.x - 0.3) ** 2) - (cfg.kind == "b") + cfg.width / 100

main()
"""
CONFIG = f"""
defaults:
  - _self_
  - override hydra/sweeper: optuna
x: 0
kind: a
width: 1
hydra:
  mode: MULTIRUN
  searchpath: ["file://{conf_dir()}"]
  sweep: {{subdir: "${{hydra.job.num}}"}}
  sweeper:
    params: {{x: "interval(0, 1)", kind: "choice(a, b)"}}
"""


@pytest.fixture
def top(tmp_path: Path) -> Path:
    (tmp_path / "config.yaml").write_text(CONFIG)
    (tmp_path / "program.py").write_text(PROGRAM)
    return tmp_path


def sweep(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(folder.parent / "program.py"), f"hydra.sweep.dir={folder}", *words]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2] / "src")}
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)


def trials(folder: Path) -> list[list[str]]:
    return [line.split() for line in (folder / "log").read_text().splitlines()]


def test_a_killed_sweep_goes_on_and_ends_as_if_it_had_not_been(top: Path) -> None:
    killed, whole, words = top / "killed", top / "whole", ["width=range(2,9,3)", "hydra.sweeper.n_trials=13"]
    killed.mkdir()
    (killed / "kill-11").touch()
    assert sweep(killed, *words).returncode == -signal.SIGKILL
    assert not (killed / "best.json").exists()
    assert (done := sweep(killed, *words)).returncode == 0, done.stderr
    assert (done := sweep(whole, *words)).returncode == 0, done.stderr
    expected = trials(whole)
    assert [number for number, *_ in expected] == [str(number) for number in range(13)]
    # What was cut off runs again, in its own place; what was finished does not.
    assert trials(killed) == [*expected[:12], expected[11], expected[12]]
    values = [-((float(x) - 0.3) ** 2) - (kind == "b") + int(width) / 100 for _, x, kind, width in expected]
    best = json.loads((killed / "best.json").read_text())
    assert best == json.loads((whole / "best.json").read_text())
    assert (best["trial"], best["value"]) == (values.index(max(values)), pytest.approx(max(values)))
    assert {width for *_, width in expected} == {"2", "5", "8"}
    assert {kind for _, _, kind, _ in expected} == {"a", "b"}


def test_a_finished_sweep_runs_more_only_when_asked_and_nothing_else(top: Path) -> None:
    assert sweep(top / "a", "hydra.sweeper.n_trials=2").returncode == 0
    assert sweep(top / "a", "hydra.sweeper.n_trials=2").returncode == 0
    assert len(trials(top / "a")) == 2
    assert sweep(top / "a", "hydra.sweeper.n_trials=3", "hydra.sweeper.params.kind=a", "kind=b").returncode != 0
    refused = sweep(top / "a", "hydra.sweeper.n_trials=3", "width=3")
    assert refused.returncode != 0
    assert "holds a sweep with other settings" in refused.stderr
    assert sweep(top / "a", "hydra.sweeper.n_trials=3").returncode == 0
    assert len(trials(top / "a")) == 3


def test_nothing_to_search_is_refused(top: Path) -> None:
    said = sweep(top / "a", "hydra.sweeper.params=null", "x=1")
    assert "expected settings to search" in said.stderr
