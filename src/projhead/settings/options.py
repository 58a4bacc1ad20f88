"""The options of ``conf/`` by name: ``option("codec", "pq:32")``."""

from __future__ import annotations

from collections.abc import Iterator
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
    read_option.cache_clear()
    _names.cache_clear()


def options_of(group: str) -> list[str]:
    """Return the options of a group, none where it is no group."""
    files = {path.stem for folder in (*_own, conf_dir()) for path in (folder / group).glob("[!_]*.yaml")}
    return sorted(files.union(_names().get(group, ())))


def without_file() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield (group, option, settings) of the options in ``names.yaml``."""
    for group, names in _names().items():
        for name in names:
            yield group, name, read_option(group, name)


def source_of(group: str, name: str) -> Path | None:
    """Return the file that an option is alone in; None for one of ``names.yaml``."""
    files = (folder / group / f"{name}.yaml" for folder in (*_own, conf_dir()))
    return next((file for file in files if file.is_file()), None)


def target_of(group: str, name: str) -> str:
    """Return the path of the class, or function, that an option stands for."""
    return str(read_option(group, name)["_target_"])


def first_parameter(group: str, name: str) -> str:
    """Return the parameter that ``name:value`` gives: the first in the option's yaml.

    Raises
    ------
    UserError
        If the option has none.
    """
    names = [key for key in read_option(group, name) if key != "_target_"] if name in options_of(group) else []
    if not names:
        raise UserError(f"{group}: {name} has no parameter; expected one of {', '.join(options_of(group))}")
    return names[0]


def node_of(group: str, name: str, **parameters: Any) -> dict[str, Any]:
    """Return an option's settings, ``{"_target_": ..., ...}``, with some parameters replaced.

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
    node = dict(read_option(group, short))
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
def _names() -> dict[str, dict[str, dict[str, Any]]]:
    """Return (group to option to settings) of all ``names.yaml``, the user's own before projhead's."""
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for folder in reversed((*_own, conf_dir())):
        if (file := folder / "names.yaml").is_file():
            for group, names in _loaded(file).items():
                found[group] = {**found.get(group, {}), **names}
    return found


@cache
def read_option(group: str, name: str) -> dict[str, Any]:
    """Return an option's settings; ``???`` stands for one without a default."""
    if file := source_of(group, name):
        return _loaded(file)
    node = dict(_names()[group][name])
    base = node.pop("of", None)
    return {**read_option(group, base), **node} if base else node


def _loaded(file: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(file.read_text(encoding="utf-8"))
    return found
