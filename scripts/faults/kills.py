"""Kill every verb at every step that it takes on disk: nothing lost, nothing blocked, nothing left behind.

    python scripts/faults/kills.py [--most 120] [--jobs encode index ...]

Steps are renames, exchanges, syncs, folders made and files removed. Each is a kill by the system before it is done; at
a sync there is a second one, with half of what the file holds. Where another library writes the files, kills come at
moments, evenly spread over the time that the job takes. Jobs are tiny and run in processes forked from this one, which
has imported what they need.
"""

from __future__ import annotations

import importlib
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from harness import Campaign, bench_parser, in_child, told, workplace
from jobs import jobs

from projhead.persistence import files

#: What takes seconds to import, and starts nothing by that.
_WARM = ("pytorch_lightning", "faiss", "sentence_transformers", "onnxscript", "onnxruntime", "openvino")
STEPS = ("replace", "rename", "link", "mkdir", "fsync", "unlink", "rmdir")


class Steps:
    """Count the steps on disk, and end the process at one of them."""

    def __init__(self, last: int = -1, torn: bool = False) -> None:
        self.last, self.torn, self.names = last, torn, list[str]()

    def __enter__(self) -> Steps:
        for name in STEPS:
            setattr(os, name, self._watched(name, getattr(os, name)))
        files.exchange = self._watched("exchange", files.exchange)
        return self

    def __exit__(self, *error: object) -> None:
        """Nothing: the process ends."""

    def _watched(self, name: str, step: Callable[..., Any]) -> Callable[..., Any]:
        def watched(*arguments: Any, **more: Any) -> Any:
            if len(self.names) == self.last:
                if self.torn:
                    _tear(arguments[0])
                os.kill(os.getpid(), signal.SIGKILL)
            self.names.append(name)
            return step(*arguments, **more)

        return watched


def _tear(descriptor: int) -> None:
    """Leave half of a file, as if the rest had not been written."""
    path = f"/proc/self/fd/{descriptor}"
    if os.path.isfile(path):
        os.truncate(path, os.path.getsize(path) // 2)


def _steps_of(act: Callable[[], Any]) -> list[str]:
    with Steps() as steps:
        act()
    return steps.names


def killed(campaign: Campaign, most: int) -> None:
    """Kill a job at its steps, or at moments, at most so many, evenly spread."""
    campaign.reset()
    if campaign.job.outside:
        started = time.perf_counter()
        in_child(campaign.job.act)
        for moment in np.linspace(0.02, 1, most) * (time.perf_counter() - started):
            campaign.faulty(f"after {moment:.3f} s", lambda act, moment=moment: _killed_after(moment, act))
        return
    names = in_child(lambda: _steps_of(campaign.job.act)).value
    points = [(at, torn) for at, name in enumerate(names) for torn in ([False, True] if name == "fsync" else [False])]
    for number in np.unique(np.linspace(0, len(points) - 1, min(most, len(points))).astype(int)):
        at, torn = points[number]

        def fault(act: Callable[[], Any], at: int = at, torn: bool = torn) -> None:
            with Steps(at, torn):
                act()

        campaign.faulty(f"{names[at]} {at}{' torn' if torn else ''}", fault)


def _killed_after(seconds: float, act: Callable[[], Any]) -> None:
    """Do something, and be killed meanwhile."""
    me = os.getpid()
    if (killer := os.fork()) == 0:
        time.sleep(seconds)
        os.kill(me, signal.SIGKILL)
        os._exit(0)
    act()
    os.kill(killer, signal.SIGKILL)
    os.waitpid(killer, 0)


def run(most: int, names: list[str] | None = None, *, slow: bool = True) -> tuple[dict[str, Counter[str]], list[str]]:
    """Return the counts of each job, and what should not have been."""
    counts, lines = {}, []
    for name in _WARM if slow else _WARM[:2]:
        if find_spec(name):
            importlib.import_module(name)
    with workplace() as (root, kept):
        for job in jobs(root, slow=slow):
            if not names or job.name in names:
                killed(campaign := Campaign(job, root, kept / Path("state")), most)
                counts[job.name], lines = campaign.found, [*lines, *campaign.lines]
                print(f"{job.name}: {dict(campaign.found)}", *campaign.lines, sep="\n", file=sys.stderr, flush=True)
    return counts, lines


def main() -> None:
    parser = bench_parser(__doc__)
    parser.add_argument("--most", type=int, default=120, help="kills of each job")
    parser.add_argument("--jobs", nargs="+", help="names of jobs; all where not given")
    arguments = parser.parse_args()
    raise SystemExit(told(*run(arguments.most, arguments.jobs)) > 0)


if __name__ == "__main__":
    main()
