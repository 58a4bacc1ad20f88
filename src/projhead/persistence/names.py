"""Names of classes in records: ``head/Linear`` for projhead's, full paths for others.

A short name says what kind of thing it is and which: the module may move, and folders on disk still open. Classes are
found by reading the sources of their room, so nothing is listed by hand and nothing is imported that was not asked for.
"""

from __future__ import annotations

import importlib
import inspect
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from pathlib import Path
from typing import Any

from projhead.persistence.aliases import ALIASES

#: The kinds of things that records name, and the packages of projhead that hold them.
ROOMS = {
    "codec": "codecs",
    "corpus": "corpora",
    "database": "databases",
    "encoder": "encoders",
    "exporter": "exporters",
    "head": "heads",
    "index": "indexes",
    "loss": "losses",
    "reducer": "reducers",
    "student": "students",
    "task": "tasks",
}
_KINDS = {room: kind for kind, room in ROOMS.items()}
_PATH = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+", re.ASCII)
_trusted: ContextVar[tuple[str, ...]] = ContextVar("trusted", default=())


@contextmanager
def trusting(packages: Sequence[str]) -> Iterator[None]:
    """Trust these packages too, within the block: records read there may name their classes.

    Loading such a record imports the package, which runs its code.
    """
    if isinstance(packages, str):
        packages = [packages]
    token = _trusted.set((*_trusted.get(), *packages))
    try:
        yield
    finally:
        _trusted.reset(token)


def is_trusted(path: str) -> bool:
    """Say whether a class or function lies in a package that the user trusts; Python's own are nobody's models."""
    return path.partition(".")[0] not in sys.stdlib_module_names and any(
        path.startswith(f"{package}.") for package in _trusted.get()
    )


def name_of(one: Any) -> str:
    """Return how records call a class (or a function): the short name of one of ours, the full path of another."""
    module, name = getattr(one, "__module__", None) or "builtins", getattr(one, "__qualname__", type(one).__qualname__)
    kind = _KINDS.get(module.removeprefix("projhead.").partition(".")[0])
    return f"{kind}/{name}" if kind and _classes(kind).get(name) == module else f"{module}.{name}"


def current(name: str) -> str:
    """Return a name as this version writes it: records of older ones hold module paths, and former names."""
    match = re.fullmatch(r"projhead\.(\w+)\.\w+\.([A-Z]\w*)", name)
    short = f"{_KINDS[match[1]]}/{match[2]}" if match and match[1] in _KINDS else name
    return ALIASES.get(short, short)


def class_named(name: Any, kind: str) -> type[Any]:
    """Return the class of a kind that a record names.

    Raises
    ------
    ValueError
        If it is of another kind, unknown, or of a package that the user did not say to trust.
    """
    if not isinstance(name, str):
        raise ValueError(f"expected the name of a {kind}, got {name!r:.200}: refused")
    found, _, short = current(name).rpartition("/")
    if found == kind:
        if short not in _classes(kind):
            raise ValueError(f"this version of projhead has no {found}/{short}; use the one that wrote the record")
        module = importlib.import_module(_classes(kind)[short])
        cls: type[Any] = getattr(module, short)
        return cls
    if found or not _PATH.fullmatch(name) or name.partition(".")[0] in {"projhead", *sys.stdlib_module_names}:
        raise ValueError(f"expected one of projhead's {ROOMS[kind]}, got {name!r:.200}: refused")
    if not is_trusted(name):
        raise ValueError(
            f"{name!r:.200} is not projhead's own {kind}, and loading it would run its code: refused. If you trust it, "
            f"say so: trusted=[{name.partition('.')[0]!r}] in Python, trusted=[{name.partition('.')[0]}] on the "
            "command line"
        )
    cls = object_at(name)
    if not inspect.isclass(cls):
        raise ValueError(f"expected one of projhead's {ROOMS[kind]}, got {name!r:.200}, which is no class: refused")
    return cls


def object_at(path: str) -> Any:
    """Import what a full path names, in a package that the user trusts.

    Raises
    ------
    ValueError
        If it is not there.
    """
    parts = path.split(".")
    for end in range(len(parts) - 1, 0, -1):
        try:
            found: Any = importlib.import_module(".".join(parts[:end]))
        except ModuleNotFoundError as error:
            if error.name is None or not ".".join(parts[:end]).startswith(error.name):
                raise
            continue
        try:
            for name in parts[end:]:
                found = getattr(found, name)
        except AttributeError as error:
            raise ValueError(f"{path} is not there: {error}; put it where it was when the record was written") from None
        return found
    raise ValueError(f"{path} is not there: no module {parts[0]!r} can be imported; put its folder on PYTHONPATH")


@cache
def _classes(kind: str) -> dict[str, str]:
    """Return the public classes of a kind, and the module that each is defined in."""
    package = f"projhead.{ROOMS[kind]}"
    folder = Path(__file__).parents[1] / ROOMS[kind]
    return {
        name: f"{package}.{path.stem}"
        for path in sorted(folder.glob("*.py"))
        for name in re.findall(r"^class ([A-Z]\w*)", path.read_text(encoding="utf-8"), re.MULTILINE)
    }
