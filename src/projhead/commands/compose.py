"""Compose and check a verb's settings; explain what is wrong in one line."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException, InstantiationException, MissingConfigException, OverrideParseException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from projhead.commands.conf import comment_of, said_of
from projhead.commands.spelling import spelled
from projhead.commands.verbs import VERBS
from projhead.errors import UserError, nearest
from projhead.settings.check import check
from projhead.settings.options import conf_dir, node_of, options_of, source_of, without_file

#: Groups of which several can be chosen.
_SEVERAL = {"task"}


def checked(verb: str, cfg: DictConfig) -> DictConfig:
    """Check a verb's settings before anything is computed; ``keep_texts=no`` becomes False.

    Raises
    ------
    UserError
        If a setting is unknown, missing or out of its range.
    """
    _expand_codecs(cfg)
    overrides = OverridesParser.create().parse_overrides(list(HydraConfig.get().overrides.task))
    _make_way(cfg, [one.key_or_group for one in overrides])
    for given in overrides:
        group, choice = given.key_or_group, given.value()
        if isinstance(choice, list) and group not in _SEVERAL and options_of(group):
            raise UserError(
                f"{group}: got {', '.join(map(str, choice))}, expected one of {', '.join(options_of(group))}"
            )
    try:
        OmegaConf.resolve(cfg)
        settings: Any = OmegaConf.to_container(cfg)
    except OmegaConfBaseException as error:
        raise UserError(f"{error.full_key}: {error.msg}" if error.full_key else str(error)) from error
    OmegaConf.set_struct(cfg, False)
    for name in sorted(OmegaConf.missing_keys(cfg)):
        raise UserError(f"{name}: not given{_about(verb, name)}")
    for name, value in check(settings, VERBS[verb]).items():
        OmegaConf.update(cfg, name, value)
    return cfg


def composed(verb: str, overrides: Sequence[str], folder: Path) -> DictConfig:
    """Return the checked settings of a verb that runs in this process, as its command line would have them."""
    words, notes = spelled(verb, overrides)
    print("\n".join(notes), file=sys.stderr, end="\n" if notes else "")
    with _hydra():
        cfg = compose(verb, [*words, f"run_dir={folder}"], return_hydra_config=True)
    OmegaConf.set_readonly(cfg.hydra, False)
    cfg.hydra.runtime.output_dir = str(folder)
    HydraConfig.instance().set_config(cfg)
    OmegaConf.set_struct(cfg, False)
    del cfg["hydra"]
    return checked(verb, cfg)


def _expand_codecs(cfg: DictConfig) -> None:
    """Put nodes in the place of a list of codecs' names."""
    if "codecs" not in cfg or OmegaConf.is_dict(cfg.codecs):
        return
    names = cfg.codecs if OmegaConf.is_list(cfg.codecs) else [cfg.codecs]
    own = {f"own_{number}": one for number, one in enumerate(names) if OmegaConf.is_dict(one)}
    named = {str(one).replace(":", "_"): node_of("codec", str(one)) for one in names if not OmegaConf.is_dict(one)}
    OmegaConf.set_struct(cfg, False)
    cfg.codecs = {**named, **own}


def _make_way(cfg: DictConfig, given: Sequence[str]) -> None:
    """Take away the settings of an option whose place another class has, but those that were given for it."""
    OmegaConf.set_struct(cfg, False)
    for group in [name.removesuffix("._target_") for name in given if name.endswith("._target_")]:
        if options_of(group) and OmegaConf.is_dict(cfg.get(group)):
            for key in [str(one) for one in cfg[group]]:
                if not key.startswith("_") and f"{group}.{key}" not in given:
                    del cfg[group][key]


def _about(verb: str, name: str) -> str:
    """Return what the yaml beside a setting says that it is."""
    group, _, key = name.partition(".")
    choice = HydraConfig.get().runtime.choices.get(group)
    said = comment_of(name, conf_dir() / f"{verb}.yaml")
    if choice in options_of(group):
        chosen = source_of(group, choice)
        said = said or (comment_of(key, chosen) if chosen else None) or said_of(group, choice)[0]
    return f"; expected {said}" if said else ""


def understood(error: BaseException, verb: str) -> BaseException:
    """Return Hydra's error as a `UserError` of one line, or the cause of a failed build."""
    if isinstance(error, InstantiationException):
        cause = error.__cause__
        target = re.search(r"full_key: (\S+)", str(error))
        where = f"{target[1]}: " if target else ""
        refused = isinstance(cause, (ValueError, TypeError, RuntimeError))
        return UserError(f"{where}{cause}") if refused else cause or UserError(str(error))
    if isinstance(error, MissingConfigException) and "/" in str(error.missing_cfg_file):
        group, _, option = str(error.missing_cfg_file).rpartition("/")
        options = [one for one in error.options or options_of(group) if not one.startswith("_")]
        return UserError(f"{group}: got {option!r}, expected one of {', '.join(options)}{nearest(option, options)}")
    if isinstance(error, OverrideParseException):
        return UserError(
            f"{error.override}: cannot be read; expected group=option or key=value, and quotes around a value with "
            "blanks, commas or braces: \"query='how to read a file'\""
        )
    if twice := re.search(r"To override a value use 'override (\S+): (\S+)'", str(error)):
        return UserError(
            f"{twice[1]}: expected {twice[1]}={twice[2]}, without a plus: it has its place, got a second one"
        )
    if isinstance(error, HydraException) and (key := re.search(r"'([^']+)'", str(error))):
        return _unknown(key[1], str(error), verb, list(getattr(error.__cause__, "parent_node", None) or ()))
    if isinstance(error, (HydraException, OmegaConfBaseException)):
        return UserError(str(error))
    if isinstance(error, ValueError) and str(error).startswith("Config group override must be"):
        return UserError(f"a group's choice: got {str(error).rpartition('Got ')[2]}, expected the name of an option")
    return error


def _unknown(key: str, said: str, verb: str, beside: Sequence[Any]) -> UserError:
    """Return what to say of an unknown setting: `beside` are those that the chosen option has in its place."""
    known = list(_keys(_defaults(verb)))
    if "defaults list" in said or "config group" in said:
        return UserError(f"{key}: no group of projhead {verb}{nearest(key, known)}")
    above, dot, last = key.rpartition(".")
    here = [str(one) for one in beside if not str(one).startswith("_")]
    if near := get_close_matches(last, here, 1):
        advice = f"; did you mean {above}{dot}{near[0]}?"
    else:
        advice = _elsewhere(key, known) or (
            f"; expected one of {', '.join(here)}" if dot and here else nearest(key, known)
        )
    return UserError(f"{key}: no such setting of projhead {verb}{advice or f'; projhead {verb} --help lists them'}")


def _elsewhere(key: str, known: Sequence[str]) -> str:
    """Return where a setting of that name is: ``lr`` is ``optimizer.lr``."""
    found = [one for one in known if one.rpartition(".")[2] == key.rpartition(".")[2]]
    return f"; did you mean {' or '.join(found[:3])}?" if found else ""


def _defaults(verb: str) -> DictConfig:
    with _hydra():
        return compose(verb)


def name_options() -> None:
    """Tell Hydra of the options that have no file."""
    for group, name, node in without_file():
        ConfigStore.instance().store(name, node, group)


def _hydra() -> AbstractContextManager[Any]:
    """Let configs be composed, where Hydra does not run already."""
    name_options()
    if GlobalHydra.instance().is_initialized():
        return nullcontext()
    return initialize_config_dir(str(conf_dir()), version_base="1.3")


def _keys(cfg: Any, name: str = "") -> Iterator[str]:
    for key in cfg if OmegaConf.is_dict(cfg) else ():
        full = f"{name}.{key}".lstrip(".")
        yield full
        if not OmegaConf.is_missing(cfg, key) and not OmegaConf.is_interpolation(cfg, key):
            yield from _keys(cfg[key], full)
