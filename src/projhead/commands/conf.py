"""What the Hydra configs say of themselves."""

from __future__ import annotations

import re
from pathlib import Path
from textwrap import shorten

from projhead.settings.options import conf_dir, options_of

_KEY = re.compile(r"(?P<indent> *)(?P<key>[\w.]+):(?: (?P<value>.*?))?(?: +# (?P<comment>.*))?")
_CHOICE = re.compile(r" +- (?P<group>[\w@.]+): (?P<option>.*?)(?: +# (?P<comment>.*))?")
#: Groups that are no choice.
_FIXED = {"paths", "hydra"}
_WIDTH = 120


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


def help_of(verb: str) -> str:
    """Return a verb's help: what it does, examples, its own settings, its own groups with what each option is."""
    path = conf_dir() / f"{verb}.yaml"
    lines = path.read_text(encoding="utf-8").splitlines()
    settings = [found for line in lines if (found := _KEY.fullmatch(line)) and found["key"] != "defaults"]
    groups = [found for line in lines if (found := _CHOICE.fullmatch(line)) and found["group"] not in _FIXED]
    said = [*head_of(path), "", "Settings (key=value; --cfg job prints all, with those of the groups):"]
    for one in settings:
        if one["comment"] and not one["indent"]:
            value = "..." if "${" in one["value"] else one["value"]
            said.append(_row(f"{one['key']}={value}", one["comment"]))
        elif one["comment"] and (short := re.match(r"(\w+)=\.\.\.: (.*)", one["comment"])):
            said.append(_row(f"{short[1]}={one['value']}", short[2]))
    if groups:
        said += ["", "Groups (group=option; then group.setting=value):"]
    for one in groups:
        said += _group(one["group"], one["option"], one["comment"])
    return "\n".join(said)


def _group(name: str, chosen: str, comment: str | None) -> list[str]:
    group, _, package = name.partition("@")
    if package.startswith("baselines."):
        return []
    about = {one: head_of(conf_dir() / group / f"{one}.yaml")[0] for one in options_of(group)}
    if len(about) == 1:
        return [_row(f"{name}={chosen}", about.popitem()[1])]
    # The options of a group at another place are told of at its own.
    return [
        _row(f"{name}={chosen}", comment or ""),
        *(_row(f"  {one}", said) for one, said in about.items() if not package),
    ]


def _row(name: str, text: str) -> str:
    if len(text) > _WIDTH - 27:
        text = text.partition(". ")[0]
    return f"  {name:<24} {shorten(text, _WIDTH - 27, placeholder=' ...')}".rstrip()
