"""Every yaml composes, and every target is there and takes what the yaml gives it."""

from __future__ import annotations

import inspect
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.hydra_config import HydraConfig
from hydra.utils import get_object
from omegaconf import DictConfig, OmegaConf

from projhead.cli import VERBS
from projhead.commands.compose import composed
from projhead.commands.conf import help_of
from projhead.commands.verbs import VERBS as SETTINGS
from projhead.settings.options import conf_dir, options_of

GROUPS = sorted(path.name for path in conf_dir().iterdir() if path.is_dir() and path.name not in ("hydra", "paths"))
OPTIONS = [(group, path.stem) for group in GROUPS for path in sorted((conf_dir() / group).glob("[!_]*.yaml"))]
#: What has no default.
MANDATORY = {
    "load": ["store=x", "to=lance://x"],
    "encode": ["out=x"],
    "export": ["artifact=x"],
    "push": ["folder=x", "repo=x/y"],
    "report": ["results=x"],
    "search": ["index=x", "query=x"],
}
#: Groups that write over others.
OVERRIDING = {verb: {"experiment", "sweep", "debug"} if verb == "train" else set() for verb in VERBS}
#: Groups that not `train` but another verb has.
HOMES = {
    "database": "load",
    "engine": "encode",
    "target": "plan",
    "task": "evaluate",
    "index": "index",
    "export": "export",
}


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
    override = f"{group}=[{option}]" if group == "task" else f"{group}={option}"
    cfg = _compose(verb, override)
    assert _check_targets(cfg) > 0


def test_an_unknown_setting_is_refused_by_name() -> None:
    command = [sys.executable, "-m", "projhead.cli", "train", "n_componets=64"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    line = "projhead train: n_componets: no such setting of projhead train; did you mean n_components?\n"
    assert done.stderr == line


@pytest.mark.parametrize("verb", VERBS)
def test_help_is_a_screen_with_examples_first_and_the_own_groups_alone(verb: str) -> None:
    lines = help_of(verb).splitlines()
    assert any(line.startswith(f"  projhead {verb}") for line in lines[:6])
    assert max(map(len, lines)) <= 120
    assert len(lines) <= 50
    assert not any(line.endswith("=null") and not line.startswith("  ") for line in lines)
    own = set(re.findall(r"^  ([\w@]+)=", "\n".join(lines), re.MULTILINE))
    schema = {field.name for field in fields(SETTINGS[verb])}
    assert schema - own <= {"paths", "baselines", "calibration", "of"}, "a setting without a comment"
    groups = {field.name for field in fields(SETTINGS[verb]) if str(field.type).startswith("Node")} | OVERRIDING[verb]
    for group in groups - {"baselines", "calibration", "codecs", "of"}:
        told = help_of(verb, group)
        for option in options_of(group):
            assert re.search(rf"\b{option}\b", "\n".join(lines)), option
            assert re.search(rf"^  {option}\b", told, re.MULTILINE), option
        assert max(map(len, told.splitlines())) <= 120


@pytest.mark.parametrize("verb", VERBS)
def test_the_schema_of_a_verb_is_its_yaml(verb: str) -> None:
    given = {str(name) for name in composed(verb, MANDATORY.get(verb, []), Path("out"))}
    names = {field.name: field for field in fields(SETTINGS[verb])}
    assert given <= set(names)
    assert {name for name, field in names.items() if field.default is MISSING} <= given


@pytest.mark.parametrize("verb", VERBS)
def test_every_example_of_help_and_readme_composes_and_checks(verb: str) -> None:
    examples = re.findall(rf"^  (?:.* \| )?projhead {verb}(?: (.*?))?(?:  .*)?$", help_of(verb), re.MULTILINE)
    root = conf_dir().parent
    readme = "".join(page.read_text(encoding="utf-8") for page in [root / "README.md", *(root / "docs").rglob("*.md")])
    examples += re.findall(rf"^projhead {verb}(?: (.*?))?(?: +#.*)?$", readme, re.MULTILINE)
    assert examples
    for example in examples:
        words = [word for word in shlex.split(example) if not word.startswith("sweep=")]
        if "-m" in words:
            words = [word.split(",")[0] for word in words if word != "-m"]
        composed(verb, words, Path("out"))


def test_the_front_page_names_every_verb_and_does_not_load_torch() -> None:
    code = "import sys; sys.argv=['projhead']; from projhead.cli import main; main(); assert 'torch' not in sys.modules"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert all(verb in done.stdout for verb in VERBS)


def test_an_error_is_one_line_that_says_what_to_do(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "projhead.cli", "search", f"index={tmp_path / 'none'}", "query=x"]
    command += [f"run_dir={tmp_path / 'run'}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("projhead search: no index in")
    assert len(done.stderr.strip().splitlines()) == 1
