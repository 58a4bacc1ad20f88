"""What the campaigns share: tiny jobs that write, processes that may die, and what must hold afterwards.

A job starts from a state, does one thing, and is read as a user would. Whatever happens meanwhile, a reader finds the
state before or the state after; the same command then ends well, and leaves nothing beside what it makes.
"""

from __future__ import annotations

import hashlib
import importlib
import os
import pickle
import re
import shutil
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch

import numpy as np
from hydra.core.hydra_config import HydraConfig
from tabulate import tabulate

from projhead.commands.compose import composed, understood
from projhead.errors import mendable

sys.path.append(str(Path(__file__).parents[1]))  # where bench is
from bench import parser as bench_parser  # noqa: F401  which every campaign takes from here

_HUNG = 120
#: Numbers in names that differ between runs.
_UUID = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_NUMBER = re.compile(rf"data-\d+|version_\d+|events\.out\.\S+|{_UUID}|[0-9a-f]{{12,}}|\d{{6,}}")


@dataclass(frozen=True)
class Job:
    """Something that a command does to a folder.

    Attributes
    ----------
    name : str
    start : callable
        Makes the state before.
    act : callable
        Does it.
    read : callable
        Returns what a user finds; raises where that is nothing.
    again : bool
        Whether doing it twice is doing it once.
    outside : bool
        Whether another library than Python writes the files, so that it is killed at moments and not at steps.
    partial : bool
        Whether what is half done may be seen, and is gone on with.
    slow : bool
        Whether it takes seconds, and is left out in brief and of full disks.
    """

    name: str
    start: Callable[[], Any]
    act: Callable[[], Any]
    read: Callable[[], Any]
    again: bool = True
    outside: bool = False
    partial: bool = False
    slow: bool = False


class Ended(NamedTuple):
    """How a process ended (done, refused, traceback, killed or hung), and with what."""

    how: str
    value: Any = None


def in_child(function: Callable[[], Any], seconds: int = _HUNG) -> Ended:
    """Call a function in a process of its own, which may die."""
    reading, writing = os.pipe()
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        os.close(reading)
        signal.alarm(seconds)
        quiet = os.open(os.devnull, os.O_WRONLY)
        os.dup2(quiet, 1)
        os.dup2(quiet, 2)
        with os.fdopen(writing, "wb") as pipe:
            pipe.write(pickle.dumps(_called(function)))
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        told = pipe.read()
    status = os.waitpid(child, 0)[1]
    if told:
        return Ended(*pickle.loads(told))  # noqa: S301 - of our own child
    hung = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGALRM
    return Ended("hung") if hung else Ended("killed", os.WTERMSIG(status) if os.WIFSIGNALED(status) else status)


def _called(function: Callable[[], Any]) -> tuple[str, Any]:
    try:
        return "done", function()
    except BaseException as error:
        line = mendable(understood(error, "verb"))
        return ("traceback", repr(error)) if line is None or "\n" in line else ("refused", line)


def digest(*parts: Any) -> str:
    """Return a short digest of arrays and of whatever prints."""
    found = hashlib.sha256()
    for part in parts:
        found.update(np.ascontiguousarray(part).tobytes() if isinstance(part, np.ndarray) else repr(part).encode())
    return found.hexdigest()[:12]


class Campaign:
    """A job, its states before and after, and the count of what became of it under faults."""

    def __init__(self, job: Job, root: Path, template: Path) -> None:
        self.job, self.root, self.template = job, root, template
        self.found: Counter[str] = Counter()
        self.lines: list[str] = []
        shutil.rmtree(root, ignore_errors=True)
        root.mkdir(parents=True)
        if (started := in_child(job.start)).how != "done":
            raise RuntimeError(f"{job.name} does not start: {started}")
        shutil.rmtree(template, ignore_errors=True)
        shutil.copytree(root, template)
        self.before = in_child(job.read)
        self.whole = self._acted()
        self.after = in_child(job.read)
        self.made = self._names()
        if self.whole.how != "done" or self.after.how != "done" or self.after == self.before:
            raise RuntimeError(f"{job.name} does nothing that can be read: {self.whole}, {self.before}, {self.after}")

    def reset(self) -> None:
        """Put the state before in place again."""
        shutil.rmtree(self.root)
        shutil.copytree(self.template, self.root)

    def _acted(self) -> Ended:
        return in_child(self.job.act)

    def _names(self) -> set[str]:
        return {_NUMBER.sub("#", one.relative_to(self.root).as_posix()) for one in self.root.rglob("*")}

    def faulty(self, name: str, fault: Callable[[Callable[[], Any]], Any]) -> Ended:
        """Act under a fault, and judge what is there."""
        self.reset()
        ended = in_child(lambda: fault(self.job.act))
        self.found["faults"] += 1
        if ended.how in ("traceback", "hung"):
            self._count("tracebacks" if ended.how == "traceback" else "hung", name, ended)
        state = in_child(self.job.read)
        if not self.job.partial and state != self.after and not self._as_before(state):
            lost = self.before.how == "done" and state.how != "done"
            self._count("lost" if lost else "other answers", name, state)
        if self.job.again or state != self.after:
            again = self._acted()
            if again.how != "done":
                self._count("tracebacks" if again.how == "traceback" else "blocked", name, again)
            elif (state := in_child(self.job.read)) != self.after:
                self._count("other answers", name, state)
            elif litter := self._names() - self.made:
                self._count("litter", name, sorted(litter)[:3])
        return ended

    def _as_before(self, state: Ended) -> bool:
        """Say whether a reader finds what was there before; where that was nothing, a refusal in words."""
        return state == self.before or (self.before.how == "refused" and state.how == "refused")

    def _count(self, what: str, name: str, value: Any) -> None:
        self.found[what] += 1
        self.lines.append(f"{what}: {self.job.name}, {name}: {value}")


COLUMNS = ("faults", "other answers", "lost", "blocked", "tracebacks", "hung", "litter")


def told(counts: dict[str, Counter[str]], lines: list[str], columns: tuple[str, ...] = COLUMNS) -> int:
    """Print what was found; return how much of it should not have been."""
    print("\n".join(lines))
    rows = [[name, *(found[column] for column in columns)] for name, found in counts.items()]
    total = ["all", *(sum(found[column] for found in counts.values()) for column in columns)]
    print(tabulate([*rows, total], ["job", *columns], tablefmt="github"))
    return sum(total[2:])


@contextmanager
def workplace() -> Iterator[tuple[Path, Path]]:
    """Yield a folder to work in and one to keep states in; what killed processes leave elsewhere goes with them."""
    with tempfile.TemporaryDirectory() as made:
        top = Path(made).resolve()
        (top / "tmp").mkdir()
        cache = {"XDG_CACHE_HOME": str(top / "cache")}
        with patch.object(tempfile, "tempdir", str(top / "tmp")), patch.dict(os.environ, cache):
            yield top / "work", top / "kept"


def verb(root: Path, name: str, *overrides: str, run: str = "run") -> Callable[[], Any]:
    """Return a verb with its settings, composed once here, as a function."""
    place = root / run
    cfg = composed(name, overrides, place)
    hydra, called = HydraConfig.instance().cfg, importlib.import_module(f"projhead.commands.{name}").run

    def act() -> None:
        HydraConfig.instance().cfg = hydra
        place.mkdir(exist_ok=True)  # as Hydra does
        called(cfg.copy())

    return act
