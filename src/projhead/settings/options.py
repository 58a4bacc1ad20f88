"""The options that ``conf/`` names, for Python: ``option("codec", "pq:32")`` is what ``codec=pq:32`` is to a verb."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import yaml

from projhead.errors import UserError, nearest


def conf_dir() -> Path:
    """Return the folder of configs: inside an installed package, at the top of a checkout otherwise."""
    package = Path(__file__).resolve().parents[1]
    packaged = package / "conf"
    return packaged if packaged.is_dir() else package.parents[1] / "conf"


#: Folders with options of the user's own, looked in first: ``--config-dir``.
_own: list[Path] = []


def add_options(folder: str | Path) -> None:
    """Know the options of another folder too, laid out as ``conf/`` is."""
    _own.insert(0, Path(folder).absolute())
    _read.cache_clear()


def options_of(group: str) -> list[str]:
    """Return the options of a group, none where it is no group."""
    return sorted({path.stem for folder in (*_own, conf_dir()) for path in (folder / group).glob("[!_]*.yaml")})


def target_of(group: str, name: str) -> str:
    """Return the path of the class, or function, that an option stands for."""
    return str(_read(group, name)["_target_"])


def first_parameter(group: str, name: str) -> str:
    """Return the parameter that ``name:value`` gives: the first in the option's yaml.

    Raises
    ------
    UserError
        If the option has none.
    """
    names = [key for key in _read(group, name) if key != "_target_"] if name in options_of(group) else []
    if not names:
        raise UserError(f"{group}: {name} has no parameter; expected one of {', '.join(options_of(group))}")
    return names[0]


def node_of(group: str, name: str, **parameters: Any) -> dict[str, Any]:
    """Return what a yaml says, ``{"_target_": ..., ...}``, with other values for some parameters.

    Parameters
    ----------
    group, name : str
        Such as ``"codec"`` and ``"int8"``, or ``"pq:32"`` with the first of its parameters.
    **parameters
        Of that option.

    Raises
    ------
    UserError
        If there is no such option or parameter, or one is missing that has no default.
    """
    short, colon, value = name.partition(":")
    if short not in (known := options_of(group)):
        raise UserError(f"{group}: got {name!r}, expected one of {', '.join(known)}{nearest(short, known)}")
    node = dict(_read(group, short))
    if colon:
        node[first_parameter(group, short)] = int(value) if value.isdecimal() else value
    for key in parameters:
        if key not in node:
            raise UserError(f"{group} {short}: no parameter {key!r}{nearest(key, list(node))}")
    node |= parameters
    for key, given in node.items():
        if given == "???":
            raise UserError(f"{group} {short}: expected its parameter {key!r}, got none")
    return node


def option(group: str, name: str, **parameters: Any) -> dict[str, Any]:
    """Return an option as a record, of which `projhead.persistence.registry.build` makes the object."""
    record: dict[str, Any] = _record(node_of(group, name, **parameters))
    return record


def _record(node: Any) -> Any:
    if not isinstance(node, dict) or "_target_" not in node:
        return node
    given = {key: _record(value) for key, value in node.items() if key != "_target_"}
    return {"class": node["_target_"], "parameters": given}


@cache
def _read(group: str, name: str) -> dict[str, Any]:
    files = (folder / group / f"{name}.yaml" for folder in (*_own, conf_dir()))
    found: dict[str, Any] = yaml.safe_load(next(file for file in files if file.is_file()).read_text(encoding="utf-8"))
    return found
