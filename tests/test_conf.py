"""Every yaml composes, and every target is there and takes what the yaml gives it."""

from __future__ import annotations

import inspect
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.hydra_config import HydraConfig
from hydra.utils import get_object
from omegaconf import DictConfig, OmegaConf

from projhead.cli import VERBS
from projhead.commands.conf import conf_dir

GROUPS = sorted(path.name for path in conf_dir().iterdir() if path.is_dir() and path.name not in ("hydra", "paths"))
OPTIONS = [(group, path.stem) for group in GROUPS for path in sorted((conf_dir() / group).glob("*.yaml"))]
#: Groups that not `train` but another verb has.
HOMES = {"task": "evaluate", "codec": "evaluate", "index": "index", "export": "export"}


def _compose(verb: str, *overrides: str) -> DictConfig:
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        cfg = compose(verb, list(overrides), return_hydra_config=True)
    HydraConfig.instance().set_config(cfg)
    return cfg


def _targets(node: Any) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict):
        if "_target_" in node:
            yield node
        for value in node.values():
            yield from _targets(value)


def _groups(cfg: DictConfig) -> list[str]:
    given = [str(name) for name in cfg if name != "hydra" and not OmegaConf.is_missing(cfg, name)]
    return [name for name in given if OmegaConf.is_dict(cfg[name])]


def _check_targets(cfg: DictConfig) -> int:
    OmegaConf.set_readonly(cfg.hydra, False)
    cfg.hydra.runtime.output_dir = "out"
    HydraConfig.instance().set_config(cfg)
    found = list(_targets({name: OmegaConf.to_container(cfg[name], resolve=True) for name in _groups(cfg)}))
    for node in found:
        arguments = {name: None for name in node if not name.startswith("_")}
        inspect.signature(get_object(node["_target_"])).bind_partial(**arguments)
    return len(found)


def test_every_verb_has_its_config_and_its_command() -> None:
    configs = {path.stem for path in conf_dir().glob("*.yaml")}
    commands = {path.stem for path in (conf_dir().parent / "src" / "projhead" / "commands").glob("*.py")}
    assert set(VERBS) == configs
    assert set(VERBS) <= commands


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_composes(verb: str) -> None:
    _check_targets(_compose(verb))


@pytest.mark.parametrize(("group", "option"), OPTIONS)
def test_every_option_composes_and_its_target_takes_it(group: str, option: str) -> None:
    verb = HOMES.get(group, "train")
    override = f"{group}=[{option}]" if group in ("task", "codec") else f"{group}={option}"
    cfg = _compose(verb, override)
    assert _check_targets(cfg) > 0


def test_an_unknown_setting_is_refused_by_name() -> None:
    command = [sys.executable, "-m", "projhead.cli", "train", "n_componets=64"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    line = "projhead train: n_componets: no such setting of projhead train; did you mean n_components?\n"
    assert done.stderr == line


@pytest.mark.parametrize("verb", VERBS)
def test_help_teaches_with_an_example(verb: str) -> None:
    command = [sys.executable, "-m", "projhead.cli", verb, "--help"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert f"projhead {verb}" in done.stdout
    assert "run_dir:" in done.stdout


def test_the_front_page_names_every_verb_and_does_not_load_torch() -> None:
    code = "import sys; sys.argv=['projhead']; from projhead.cli import main; main(); assert 'torch' not in sys.modules"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert all(verb in done.stdout for verb in VERBS)


def test_an_error_is_one_line_that_says_what_to_do(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "projhead.cli", "search", f"path={tmp_path / 'none'}", "query=x"]
    command += [f"run_dir={tmp_path / 'run'}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("projhead search: no index in")
    assert len(done.stderr.strip().splitlines()) == 1
