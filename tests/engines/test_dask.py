"""A cluster of this machine whose workers die."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from tests.engines.work import WORK

pytest.importorskip("distributed", reason="pip install projhead[dask]")

#: In a process of its own: Dask's warnings, threads and children are not this one's.
PROGRAM = """
import signal
import pytest
from distributed import LocalCluster
from projhead.engines.dask import Dask

def full(number):
    raise OSError("no space left")

if __name__ == "__main__":  # workers are spawned
    settings = {"threads_per_worker": 1, "dashboard_address": None, "silence_logs": 50}
    cluster = LocalCluster(n_workers=2, **settings)
    engine = Dask(cluster.scheduler_address)
    taken, found, workers = 0, [], set()

    def items():
        global taken
        for number in range(40):
            taken += 1
            assert taken - len(found) <= 5  # two for each of two workers, and the one not yet asked for
            yield number

    for number, (result, worker) in enumerate(engine.map(square, items())):
        found.append(result)
        if worker not in workers:
            os.kill(worker, signal.SIGKILL)  # each once: what held the function is gone
        workers.add(worker)
        if len(workers) > 3:
            break
    assert found == [number * number for number in range(len(found))]
    for function, kind, message in (
        (refuse, UserError, "^that is no number$"),
        (full, OSError, "^no space left$"),
        (die, UserError, "4 different workers, but all those workers died"),
    ):
        with pytest.raises(kind, match=message):
            list(engine.map(function, range(2)))
    assert list(engine.map(square, ())) == []
    cluster.close()
    assert [square for square, _ in Dask(workers=1).map(square, range(5))] == [0, 1, 4, 9, 16]
    with LocalCluster(n_workers=1, **{**settings, "threads_per_worker": 2}) as wide:
        with pytest.raises(UserError, match="expected workers of one thread"):
            list(Dask(wide.scheduler_address).map(square, range(2)))
    print("all of it")
"""


def test_workers_may_die_and_what_is_refused_is_told(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(WORK + PROGRAM)
    done = subprocess.run(
        [sys.executable, tmp_path / "program.py"], capture_output=True, text=True, timeout=900, check=False
    )
    assert "all of it" in done.stdout.splitlines(), done.stdout[-2000:] + done.stderr[-4000:]
