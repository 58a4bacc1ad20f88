"""From overrides to checked settings: what Hydra refuses, and what a verb's settings may be, in one line each."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException, InstantiationException, MissingConfigException, OverrideParseException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from projhead.commands.conf import conf_dir, options_of
from projhead.commands.verbs import VERBS
from projhead.errors import UserError, nearest
from projhead.settings.check import check

#: Groups of which several can be chosen.
_SEVERAL = {"task", "codec"}


def checked(verb: str, cfg: DictConfig) -> DictConfig:
    """Check a verb's settings before anything is computed; ``keep_texts=no`` becomes False.

    Raises
    ------
    UserError
        If a setting is unknown, missing or out of its range.
    """
    for given in OverridesParser.create().parse_overrides(list(HydraConfig.get().overrides.task)):
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
    for name, value in check(settings, VERBS[verb]).items():
        OmegaConf.update(cfg, name, value)
    return cfg


def understood(error: BaseException, verb: str) -> BaseException:
    """Return what Hydra refused as a `UserError` of one line, and the cause of what could not be built."""
    if isinstance(error, InstantiationException):
        cause = error.__cause__
        target = re.search(r"full_key: (\S+)", str(error))
        where = f"{target[1]}: " if target else ""
        refused = isinstance(cause, (ValueError, TypeError, RuntimeError))
        return UserError(f"{where}{cause}") if refused else cause or UserError(str(error))
    if isinstance(error, MissingConfigException) and error.options is not None:
        group, _, option = str(error.missing_cfg_file).rpartition("/")
        options = [one for one in error.options if not one.startswith("_")]
        return UserError(f"{group}: got {option!r}, expected one of {', '.join(options)}{nearest(option, options)}")
    if isinstance(error, OverrideParseException):
        return UserError(
            f"{error.override}: cannot be read; expected group=option or key=value, and quotes around a value with "
            "blanks, commas or braces: \"query='how to read a file'\""
        )
    if isinstance(error, HydraException) and (key := re.search(r"'([^']+)'", str(error))):
        return _unknown(key[1], str(error), verb)
    if isinstance(error, (HydraException, OmegaConfBaseException)):
        return UserError(str(error))
    if isinstance(error, ValueError) and str(error).startswith("Config group override must be"):
        return UserError(f"a group's choice: got {str(error).rpartition('Got ')[2]}, expected the name of an option")
    return error


def _unknown(key: str, said: str, verb: str) -> UserError:
    known = list(_keys(composed(verb)))
    here = [one for one in known if one.rpartition(".")[0] == key.rpartition(".")[0]]
    if "defaults list" in said or "config group" in said:
        return UserError(f"{key}: no group of projhead {verb}{nearest(key, known)}")
    found = nearest(key, here) or nearest(key, known) or _elsewhere(key, known)
    return UserError(f"{key}: no such setting of projhead {verb}{found or f'; projhead {verb} --help lists them'}")


def _elsewhere(key: str, known: Sequence[str]) -> str:
    """Return where a setting of that name is: ``lr`` is ``optimizer.lr``."""
    found = [one for one in known if one.rpartition(".")[2] == key.rpartition(".")[2]]
    return f"; did you mean {' or '.join(found[:3])}?" if found else ""


def composed(verb: str, overrides: Sequence[str] = ()) -> DictConfig:
    """Return the settings that a verb has with some overrides."""
    from hydra import compose, initialize_config_dir
    from hydra.core.global_hydra import GlobalHydra

    if GlobalHydra.instance().is_initialized():
        return compose(verb, list(overrides))
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        return compose(verb, list(overrides))


def _keys(cfg: Any, name: str = "") -> Iterator[str]:
    for key in cfg if OmegaConf.is_dict(cfg) else ():
        full = f"{name}.{key}".lstrip(".")
        yield full
        if not OmegaConf.is_missing(cfg, key) and not OmegaConf.is_interpolation(cfg, key):
            yield from _keys(cfg[key], full)
