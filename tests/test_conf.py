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
from tests.verbs import projhead

from projhead.cli import VERBS
from projhead.commands.compose import composed, name_options
from projhead.commands.conf import help_of, said_of
from projhead.commands.verbs import VERBS as SETTINGS
from projhead.settings.options import conf_dir, node_of, options_of, source_of, without_file

GROUPS = sorted(path.name for path in conf_dir().iterdir() if path.is_dir())
OPTIONS = [(group, option) for group in GROUPS for option in options_of(group)]
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
    name_options()
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
    configs = {path.stem for path in conf_dir().glob("[!_]*.yaml")} - {"names"}
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


def test_every_option_without_a_file_is_a_form_of_one_or_a_class() -> None:
    for group, name, node in without_file():
        assert source_of(group, name) is None, "a file of the same name would hide it"
        assert node == {} or list(_targets(node)), (group, name)
        assert "of" not in node
        assert said_of(group, name)[0], f"{group}={name}: a comment says what it is"


def test_an_option_without_a_file_is_chosen_as_others_are() -> None:
    assert _compose("train", "codec=prq").codec.n_splits == 2
    assert _compose("train", "codec=prq").codec.beam == 5, "as rq has it"
    assert node_of("codec", "int4") == {**node_of("codec", "int8"), "bits": 4, "quantile": 0.99}
    assert not _compose("train").baselines.pca_uncentered.center
    assert "bits: 4" in projhead("train", "codec=int4", "--cfg", "job")


def test_an_unknown_setting_is_refused_by_name() -> None:
    line = "projhead train: n_componets: no such setting of projhead train; did you mean n_components?\n"
    assert projhead("train", "n_componets=64", status=2) == line


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
    said = projhead("search", f"index={tmp_path / 'none'}", "query=x", f"run_dir={tmp_path / 'run'}", status=2)
    assert said.startswith("projhead search: no index in")
    assert len(said.strip().splitlines()) == 1
