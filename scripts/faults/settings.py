"""Count what nonsense is accepted: bad values for every setting of every verb and option, made from their types.

    python scripts/faults/settings.py [--every 1]

Each case is composed and checked in this process, as a verb does before it computes anything. A case counts as refused
where it ends in one line that the user can act on, as accepted where nothing is said, as a traceback otherwise.
"""

from __future__ import annotations

import argparse
import copy
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf
from tabulate import tabulate

from projhead.commands.compose import composed, understood
from projhead.commands.verbs import VERBS
from projhead.errors import mendable
from projhead.settings.check import check
from projhead.settings.options import options_of

#: What has no default, per verb and per option.
NEEDED = {
    "encode": ["out=x"],
    "export": ["artifact=x"],
    "load": ["store=x", "to=lance://x"],
    "push": ["folder=x", "repo=owner/name"],
    "report": ["results=x"],
    "search": ["index=x", "query=x"],
}
OPTIONS = {
    "corpus": ["corpus.path=x"],
    "encoder": ["encoder.path=x"],
    "student": ["student.start.path=x"],
    "queries": ["queries.path=x"],
    "index": ["index.path=x"],
}
#: Numbers that may be negative.
SIGNED = {"search_k", "powers"}
#: What may be a number where text is meant.
TEXT_OR_NUMBER = {"query", "id"}
#: What takes any setting by name, and one number or a list of them.
OPEN, ONE_OR_MORE = ("logger.tensorboard.", "logger.wandb.", "encoder=exported encoder."), "layers"
NAN, INFINITE = float("nan"), float("inf")
#: Nonsense for the type of a default.
BAD: dict[type, list[Any]] = {
    bool: ["maybe", 3, NAN, [], -1],
    int: ["many", NAN, INFINITE, True, 2.5, [1], "10**12", -7],
    float: ["much", NAN, INFINITE, -INFINITE, True, [0.5], -7.0],
    str: [True, NAN, 2.5, {"a": 1}],
    list: [3.5, True, {"a": 1}],
}


def settings_of(verb: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield a verb's settings, once as they are and once for each option of each of its groups."""
    yield "", _plain(verb)
    for group in VERBS[verb].__dataclass_fields__:
        for option in options_of(group) if verb not in ("search", "demo") else []:
            chosen = f"{group}=[{option}]" if group == "task" else f"{group}={option}"
            for more in ([], OPTIONS.get(group, []), [f"task.{option}.path=x"], [f"task.{option}.names=[x]"]):
                try:
                    yield f"{group}={option}", _plain(verb, chosen, *more)
                except Exception:  # a path is needed, or there is none
                    continue
                break


def _plain(verb: str, *overrides: str) -> dict[str, Any]:
    cfg = composed(verb, [*NEEDED.get(verb, []), *overrides], Path("out"))
    return OmegaConf.to_container(cfg)  # type: ignore[return-value]


def leaves(node: Any, name: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield every setting that is no node, and its value."""
    for key, value in node.items():
        if isinstance(value, dict):
            yield from leaves(value, (*name, str(key)))
        elif not str(key).startswith("_"):
            yield (*name, str(key)), value


def cases(verb: str) -> Iterator[tuple[str, Callable[[], dict[str, Any]]]]:
    """Yield what makes bad settings of a verb, each with its name."""
    seen = set()
    for option, sound in settings_of(verb):
        for name, value in leaves(sound):
            key = ".".join(map(str, name))
            if value is None or (option.partition("=")[0] not in ("", name[0]) and key in seen):
                continue
            seen.add(key)
            for bad in BAD[type(value)]:
                if _sound(key, bad):
                    continue
                yield f"{verb} {option} {key}={bad!r}", partial(_with, sound, name, bad)
            if not any(one in f"{option} {key}" for one in OPEN):
                yield f"{verb} {option} {key}x", partial(_with, sound, (*name[:-1], f"{name[-1]}x"), value)


def _sound(key: str, bad: Any) -> bool:
    """Say whether what is nonsense elsewhere means something here."""
    name = key.rpartition(".")[2]
    signed, several = name in SIGNED and bad == -7, name == ONE_OR_MORE and bad == [1]
    return signed or several or (key in TEXT_OR_NUMBER and isinstance(bad, float))


def _with(settings: dict[str, Any], name: tuple[str, ...], value: Any) -> dict[str, Any]:
    changed = copy.deepcopy(settings)
    node = changed
    for key in name[:-1]:
        node = node[key]
    node[name[-1]] = value
    return changed


def outcome(verb: str, settings: dict[str, Any]) -> str:
    """Return refused, accepted or traceback."""
    try:
        check(settings, VERBS[verb])
    except Exception as error:
        line = mendable(understood(error, verb))
        return "refused" if line and "\n" not in line and ": " in line else "traceback"
    return "accepted"


def campaign(every: int = 1) -> tuple[Counter[str], list[str]]:
    """Return how many cases ended in which way, and those that were not refused."""
    counts: Counter[str] = Counter()
    others = []
    for verb in VERBS:
        for name, made in islice(cases(verb), 0, None, every):
            counts[ended := outcome(verb, made())] += 1
            if ended != "refused":
                others.append(f"{ended}: {name}")
    return counts, others


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--every", type=int, default=1, help="only each so-manieth case")
    counts, others = campaign(parser.parse_args().every)
    print("\n".join(others))
    print(tabulate(sorted(counts.items()), ["outcome", "cases"], tablefmt="github"))


if __name__ == "__main__":
    main()
