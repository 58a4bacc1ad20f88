"""Tell the processes of one training apart.

Lightning starts the others of ``trainer.devices=2`` when the first comes to train; torchrun starts all at once.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from projhead.errors import UserError

#: What a process that was started from outside finds in its environment.
_OUTSIDE = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
#: Where processes meet: what the first has said there must stay until all have read it.
_held: list[Any] = []


def rank() -> int:
    """Return the number of this process; 0 is the first, which alone writes and prints."""
    return int(os.environ.get("RANK", os.environ.get("LOCAL_RANK", "0")))


def started_outside() -> bool:
    """Say whether torchrun, or what sets the same variables, has started several processes."""
    return all(name in os.environ for name in _OUTSIDE) and int(os.environ["WORLD_SIZE"]) > 1


def expect_one_run(devices: int | str, *, student: bool, sweep: bool, placed: bool) -> None:
    """Refuse several processes where they cannot train together.

    Parameters
    ----------
    devices : int or str
        As Lightning's trainer takes them.
    student : bool
        Whether a smaller network is distilled.
    sweep : bool
        Whether this is one run of several.
    placed : bool
        Whether the folder of the run was given.

    Raises
    ------
    UserError
        If a student, a sweep, or a folder that each process would choose for itself meets several.
    """
    several = started_outside() or devices not in (1, "1", "auto")
    if student and several:
        raise UserError(
            f"trainer.devices: got {devices} with a smaller student, expected 1: a student is distilled by one process"
        )
    if sweep and several:
        raise UserError(f"trainer.devices: got {devices} in a sweep, expected 1: give each process a run of its own")
    if started_outside() and not placed:
        raise UserError("run_dir: not given, expected the one folder of all processes that were started from outside")


@contextmanager
def first_alone() -> Iterator[None]:
    """Let the first process through, and the others when it is done: they find all that it has made."""
    if not started_outside():
        yield  # the others start later
        return
    from torch.distributed.rendezvous import rendezvous

    store, number, _ = next(iter(rendezvous("env://")))
    _held.append(store)
    done = f"projhead/first/{os.environ.get('TORCHELASTIC_RESTART_COUNT', '0')}"
    if number:
        store.wait([done], timedelta(days=30))
    yield
    if number == 0:
        store.set(done, "1")
