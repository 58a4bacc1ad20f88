"""Workers of a Dask cluster, or of this machine."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

from projhead.errors import UserError
from projhead.protocols import Item, Result
from projhead.settings.ranges import Count

#: Items that are taken before the oldest is done, for each worker: bounds memory.
_AHEAD = 2


class Dask:
    """Apply a function by Dask (Rocklin, "Dask", SciPy 2015); needs ``pip install 'projhead[dask]'``.

    A worker keeps the function, and with it an encoder, and takes one item at a time. When it dies, its item goes to
    another; one that ends four of them is an error (``distributed.scheduler.allowed-failures`` of Dask's settings).

    Parameters
    ----------
    address : str, optional
        Of a running scheduler, such as ``"tcp://head:8786"``, with workers of one thread each; processes of this
        machine alone where not given.
    workers : int, optional
        How many of this machine; one for each core where not given.
    """

    def __init__(self, address: str | None = None, *, workers: Count | None = None) -> None:
        self.address, self.workers = address, workers

    def map(self, function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        """Yield what `function` makes of every item, in order.

        Raises
        ------
        ModuleNotFoundError
            If Dask is not installed.
        UserError
            If no cluster is at the address, its workers are not of one thread each, an item ended its workers too
            often, or the function refused it.
        """
        with _connected(self.address, self.workers) as client:
            # Not scattered: what is made by a task is made again when its workers die.
            held, waiting = client.submit(_same, function, pure=False), deque[Any]()
            for item in items:
                waiting.append(client.submit(_call, held, item, pure=False))
                if len(waiting) >= _AHEAD * len(client.nthreads()):
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()


@contextmanager
def _connected(address: str | None, workers: int | None) -> Iterator[Any]:
    """Yield a client of a cluster, found at the address or started here."""
    try:
        import dask
        from distributed import Client, KilledWorker, LocalCluster
    except ImportError as error:
        raise ModuleNotFoundError("engine=dask needs Dask: pip install 'projhead[dask]'") from error
    dask.config.set({"distributed.admin.large-graph-warning-threshold": "1TB"})  # items are sent, and with reason
    logging.getLogger("distributed").setLevel(logging.ERROR)  # Hydra's own level lets every line of theirs through
    settings: dict[str, Any] = {"threads_per_worker": 1, "dashboard_address": None, "silence_logs": 50}
    with nullcontext(address) if address else LocalCluster(n_workers=workers, **settings) as place:
        try:
            client = Client(place)
        except OSError as error:
            raise UserError(
                f"engine.address: got {address!r}, where no cluster answers ({error}); 'dask scheduler' starts one"
            ) from error
        with client:
            if (most := max(client.nthreads().values(), default=1)) > 1:
                raise UserError(f"engine: expected workers of one thread (dask worker --nthreads 1), got {most}")
            try:
                yield client
            except KilledWorker as error:
                raise UserError(f"engine: {error}") from error


def _same(function: Any) -> Any:
    return function


def _call(function: Any, item: Any) -> Any:
    return function(item)
