"""Help texts, read from the comments of the yaml files."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from textwrap import wrap

from projhead.errors import UserError, nearest
from projhead.settings.options import conf_dir, options_of, read_option, source_of

_KEY = re.compile(r"(?P<indent> *)(?P<key>[\w.]+):(?: (?P<value>(?!#).*?))?(?: +# (?P<comment>.*))?")
_CHOICE = re.compile(r" +- (?P<group>[\w@.]+): (?P<option>.*?)(?: +# (?P<comment>.*))?")
#: The column that explanations begin at, and how wide a screen is taken to be, at most.
_COLUMN, _WIDEST = 27, 120


def head_of(path: Path) -> list[str]:
    """Return the comment that a yaml begins with, line by line."""
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if not line.startswith("# @package")]
    end = next((number for number, line in enumerate(lines) if not line.startswith("#")), len(lines))
    return [line[2:] for line in lines[:end]]


def comment_of(name: str, *paths: Path) -> str | None:
    """Return what a yaml says of a setting beside it."""
    *parents, key = name.split(".")
    for path in paths:
        inside: list[str] = []
        for line in path.read_text(encoding="utf-8").splitlines():
            if (found := _KEY.fullmatch(line)) is None:
                continue
            inside[len(found["indent"]) // 2 :] = [found["key"]]
            if inside == [*parents, key] and found["comment"]:
                return found["comment"]
    return None


def said_of(group: str, option: str) -> list[str]:
    """Return what is said of an option, line by line."""
    if file := source_of(group, option):
        return head_of(file)
    return [comment_of(f"{group}.{option}", conf_dir() / "names.yaml") or ""]


def help_of(verb: str, group: str | None = None) -> str:
    """Return a verb's help, a screen of it: what it does, examples, its settings, its groups and their options.

    Parameters
    ----------
    verb : str
    group : str, optional
        Tell of this group alone, with what each of its options is.

    Raises
    ------
    UserError
        If the verb has no such group.
    """
    groups = list(groups_of(verb))
    if group is not None:
        return _options(verb, group, [name for name, _, _ in groups])
    lines = (conf_dir() / f"{verb}.yaml").read_text(encoding="utf-8").splitlines()
    settings = [found for line in lines if (found := _KEY.fullmatch(line)) and found["key"] != "defaults"]
    said = [*head_of(conf_dir() / f"{verb}.yaml"), "", "Settings (key=value; --cfg job prints all of them):"]
    for one in settings:
        if one["comment"] and not one["indent"]:
            value = "..." if "${" in (one["value"] or "${") else one["value"]
            said += _row(f"{one['key']}={value}", one["comment"])
        elif one["comment"] and (short := re.match(r"(\w+)=\.\.\.: (.*)", one["comment"])):
            said += _row(f"{short[1]}={one['value']}", short[2])
    if groups:
        said += ["", f"Groups (group=option; projhead {verb} --help GROUP tells of each option):"]
    for name, chosen, comment in groups:
        options = ", ".join(options_of(name.partition("@")[0]))
        said += _row(f"{name}={chosen}", f"{comment} ({options})" if comment else options)
    return "\n".join(said)


def groups_of(verb: str) -> Iterator[tuple[str, str, str]]:
    """Yield (group, default option, comment) of a verb."""
    for line in (conf_dir() / f"{verb}.yaml").read_text(encoding="utf-8").splitlines():
        found = _CHOICE.fullmatch(line)
        if found and "@baselines." not in found["group"]:
            yield found["group"], found["option"], found["comment"] or ""


def _options(verb: str, group: str, groups: Sequence[str]) -> str:
    if group not in groups:
        raise UserError(
            f"--help {group}: no group of projhead {verb}, expected one of {', '.join(groups)}{nearest(group, groups)}"
        )
    kind = group.partition("@")[0]
    said = [f"projhead {verb} {group}=..."]
    for option in options_of(kind):
        said += ["", *_row(option, " ".join(said_of(kind, option)))]
        for key, value, comment in _settings(kind, option):
            said += _row(f"  {group}.{key}={value}", comment)
    return "\n".join(said)


def _settings(group: str, option: str) -> Iterator[tuple[str, str, str]]:
    """Yield (key, value, what the yaml says of it) of an option."""
    if (file := source_of(group, option)) is None:
        node = read_option(group, option)
        plain = ((key, value) for key, value in node.items() if not key.startswith("_") and not isinstance(value, dict))
        yield from ((key, value if isinstance(value, str) else json.dumps(value), "") for key, value in plain)
        return
    for line in file.read_text(encoding="utf-8").splitlines():
        key = _KEY.fullmatch(line)
        if key and not key["indent"] and not key["key"].startswith("_") and key["key"] != "defaults":
            yield key["key"], key["value"] or "", key["comment"] or ""


def _row(name: str, text: str) -> list[str]:
    """Return a name and what it is, in two columns of a screen's width."""
    width = min(max(shutil.get_terminal_size((_WIDEST, 24)).columns, 60), _WIDEST) - _COLUMN
    name = f"  {name}"
    told = wrap(text, width) or [""]
    first = [f"{name:<{_COLUMN}}{told[0]}".rstrip()] if len(name) < _COLUMN else [name, " " * _COLUMN + told[0]]
    return [line.rstrip() for line in [*first, *(" " * _COLUMN + line for line in told[1:])] if line.strip()]
