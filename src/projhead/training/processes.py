"""Tell the processes of one training apart.

Lightning starts the others of ``trainer.devices=2`` when the first comes to train; torchrun starts all at once.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

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
