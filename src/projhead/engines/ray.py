"""Workers of a Ray cluster, or of this machine."""

from __future__ import annotations

import os
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from projhead.errors import UserError, mendable
from projhead.protocols import Item, Result
from projhead.settings.ranges import Count, CountOrNone, Positive, Weight

#: Items that are taken before the oldest is done, for each worker: bounds memory.
_AHEAD = 2


class Ray:
    """Apply a function by Ray Core (Moritz et al., "Ray", OSDI 2018); needs ``pip install 'projhead[ray]'``.

    A worker keeps the function, and with it an encoder, and takes one item at a time. When it dies, with its node or
    alone, its item goes to another. Results come in the order of the items, and not more than two items for each worker
    are taken ahead.

    Parameters
    ----------
    address : str, optional
        Of a running cluster, such as ``"auto"`` or ``"ray://head:10001"``; that of ``RAY_ADDRESS``, or else one of this
        machine alone, where not given.
    workers : int, optional
        As many as the cluster has room for where not given.
    num_cpus, num_gpus : float
        What a worker takes of a node. The function's libraries see no other GPUs, and use so many threads.
    retries : int
        How often an item may end its worker before that is an error.
    patience : float
        Seconds until one of the workers must have been placed.
    """

    def __init__(
        self,
        address: str | None = None,
        *,
        workers: Count | None = None,
        num_cpus: Positive = 1,
        num_gpus: Weight = 0,
        retries: CountOrNone = 3,
        patience: Count = 60,
    ) -> None:
        self.address, self.workers, self.num_cpus, self.num_gpus = address, workers, num_cpus, num_gpus
        self.retries, self.patience = retries, patience

    def map(self, function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        """Yield what `function` makes of every item, in order.

        Raises
        ------
        ModuleNotFoundError
            If Ray is not installed.
        UserError
            If no cluster is at the address, no node has what a worker takes, none is placed in time, an item ended its
            workers too often, or the function refused it.
        """
        pool = _Pool(_started(self.address), self, function)
        try:
            yield from pool.results(items)
        finally:
            pool.close()


class _Worker:
    """A process of a node that holds the function."""

    def __init__(self, function: list[Any]) -> None:
        self.reference = function[0]
        self.function: Any = None

    def placed(self) -> None:
        """Answer."""

    def call(self, item: Any) -> Any:
        """Return what the function makes of an item."""
        import ray

        try:
            self.function = self.function or ray.get(self.reference)
            return self.function(item)
        except Exception as error:
            if (told := mendable(error)) is not None:
                raise UserError(told) from None
            raise


class _Pool:
    """The workers of one `Ray.map`."""

    def __init__(self, ray: Any, engine: Ray, function: Any) -> None:
        self.ray, self.engine, self.deaths = ray, engine, Counter[int | None]()
        rooms = _rooms(ray, {"CPU": engine.num_cpus, "GPU": engine.num_gpus})
        self.n = engine.workers or rooms
        # In a list it goes to the workers as a reference, and is made there when the first item comes.
        self.function = [ray.put(function)]
        self.remote = ray.remote(num_cpus=engine.num_cpus, num_gpus=engine.num_gpus, max_restarts=0)(_Worker)
        self.tasks: dict[Any, tuple[Any, int | None]] = {}
        self.idle: list[Any] = []
        for _ in range(self.n):
            self._start()

    def results(self, items: Iterable[Any]) -> Iterator[Any]:
        """Yield results in order."""
        stream, taken, again, done, due = enumerate(items), dict[int, Any](), deque[int](), dict[int, Any](), 0
        while True:
            while len(taken) + len(done) < _AHEAD * self.n and (fresh := next(stream, None)):
                taken[fresh[0]] = fresh[1]
                again.append(fresh[0])
            while self.idle and again:
                worker, number = self.idle.pop(), again.popleft()
                self.tasks[worker.call.remote(taken[number])] = worker, number
            if not taken:
                return
            for reference in self._ended():
                worker, number_or_none = self.tasks.pop(reference)
                try:
                    result = self._result(reference)
                except self.ray.exceptions.RayError as error:
                    self._died(number_or_none, error)
                    again.extend([] if number_or_none is None else [number_or_none])
                    continue
                self.idle.append(worker)
                if number_or_none is not None:
                    done[number_or_none] = result
                    del taken[number_or_none]
            while due in done:
                yield done.pop(due)
                due += 1

    def close(self) -> None:
        """End the workers."""
        for worker in {*self.idle, *(worker for worker, _ in self.tasks.values())}:
            self.ray.kill(worker)

    def _start(self) -> None:
        worker = self.remote.remote(self.function)
        self.tasks[worker.placed.remote()] = worker, None

    def _ended(self) -> list[Any]:
        """Return what has ended, waiting for the first; without end only where a worker has been placed."""
        alive = self.idle or any(number is not None for _, number in self.tasks.values())
        ended, _ = self.ray.wait(list(self.tasks), timeout=None if alive else self.engine.patience)
        if not ended:
            raise UserError(
                f"engine: no worker was placed within {self.engine.patience} s: expected {self.engine.num_cpus:g} CPUs "
                f"and {self.engine.num_gpus:g} GPUs of one node, free are {self.ray.available_resources()}; ask for "
                "less (engine.num_cpus, engine.num_gpus), or wait for what else runs there"
            )
        return list(ended)

    def _result(self, reference: Any) -> Any:
        try:
            return self.ray.get(reference)
        except self.ray.exceptions.RayTaskError as error:
            if isinstance(cause := error.cause, UserError):
                raise UserError(str(cause)) from None
            raise RuntimeError(f"a worker failed: {error}") from error

    def _died(self, number: int | None, error: Exception) -> None:
        self.deaths[number] += 1
        if self.deaths[number] > self.engine.retries:
            what = "before it took an item" if number is None else f"with item {number}"
            told = str(error).partition("\n")[0]
            raise UserError(
                f"engine: a worker died {what}, {self.deaths[number]} times: {told} If memory did not suffice, ask for "
                "more of a node (engine.num_cpus), or take less at once (shard_rows, encoder.token_budget)"
            )
        self._start()


def _started(address: str | None) -> Any:
    """Return Ray, connected to a cluster or started here."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # it would tell its makers
    try:
        import ray
        from ray import is_initialized  # a folder called ray is no Ray
    except ImportError as error:
        raise ModuleNotFoundError("engine=ray needs Ray: pip install 'projhead[ray]'") from error
    if not is_initialized():
        try:
            place = address or os.environ.get("RAY_ADDRESS") or "local"  # never one that a file of the past names
            ray.init(place, include_dashboard=False, log_to_driver=False, logging_level="error")
        except (ConnectionError, ValueError, RuntimeError) as error:
            raise UserError(
                f"engine.address: got {address!r}, where no cluster answers ({error}); 'ray start --head' starts one"
            ) from error
    return ray


def _rooms(ray: Any, wanted: dict[str, float]) -> int:
    """Return how many workers the nodes have room for, whatever else runs there."""
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    found = sum(int(min(node.get(name, 0) // amount for name, amount in wanted.items() if amount)) for node in nodes)
    if not found:
        have = "; ".join(" and ".join(f"{node.get(name, 0):g} {name}s" for name in wanted) for node in nodes)
        raise UserError(
            f"engine: expected a node with {wanted['CPU']:g} CPUs and {wanted['GPU']:g} GPUs for a worker, got {have}; "
            "ask for less (engine.num_cpus, engine.num_gpus), or add such a node to the cluster"
        )
    return found
