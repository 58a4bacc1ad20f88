"""What all benchmarks share: arguments, times, turns, memory, a process apart, and a line on the machine."""

from __future__ import annotations

import argparse
import os
import platform
import re
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np


class Took(NamedTuple):
    """Seconds on the clock, and of all processors for this process."""

    wall: float
    processor: float


def parser(description: str | None) -> argparse.ArgumentParser:
    """Return a parser whose ``--help`` is the script's docstring."""
    return argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)


def machine() -> str:
    """Return what the numbers were measured on, and how busy it was."""
    cpu = Path("/proc/cpuinfo")
    name = re.search(r"model name\s*: (.*)", cpu.read_text()) if cpu.exists() else None
    return f"{os.cpu_count()} cores ({name[1] if name else platform.machine()}), load {os.getloadavg()[0]:.1f}"


def timed(call: Callable[[], Any]) -> tuple[Any, Took]:
    """Return what a call gives, and what it took."""
    wall, processor = time.perf_counter(), time.process_time()
    found = call()
    return found, Took(time.perf_counter() - wall, time.process_time() - processor)


def in_turns(
    ways: Mapping[str, Callable[[], Any]], rounds: int, *, warm: int = 0
) -> tuple[dict[str, list[Took]], dict[str, Any]]:
    """Run several ways by turns, so that what else the machine does meets each; return times, and what each gave last.

    Parameters
    ----------
    ways : mapping of str to callable
    rounds : int
        That count.
    warm : int
        Rounds before those.
    """
    times: dict[str, list[Took]] = {name: [] for name in ways}
    found = {}
    for number in range(warm + rounds):
        for name, call in ways.items():
            found[name], took = timed(call)
            if number >= warm:
                times[name].append(took)
    return times, found


def median(times: list[Took]) -> Took:
    """Return the median of each."""
    return Took(*(float(value) for value in np.median(times, axis=0)))


def apart(function: Callable[..., Any], *args: Any) -> Any:
    """Call a function in a fresh process, whose memory and libraries are its own."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(function, *args).result()


def resident(what: str = "VmRSS") -> float:
    """Return megabytes of this process by Linux's own count: ``VmRSS`` now, ``VmHWM`` at most since `watch`."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(what)).split()[1]) / 1024


def watch() -> float:
    """Begin to look for the peak of this process's memory; return what it holds now."""
    Path("/proc/self/clear_refs").write_text("5")
    return resident()
