"""Three nodes of a cluster, all on this machine."""

from __future__ import annotations

import subprocess
import sys

import pytest
from tests.engines.work import WORK

pytest.importorskip("ray", reason="pip install projhead[ray]")

#: In a process of its own: Ray's warnings, threads and children are not this one's.
PROGRAM = """
import signal, sys
from pathlib import Path
import pytest, ray
from ray.cluster_utils import Cluster
from projhead.engines.ray import Ray
from projhead.engines.serial import Serial

def nap():
    time.sleep(600)

cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
other = cluster.add_node(num_cpus=1)
engine = Ray(cluster.address)
taken, found, workers = 0, [], set()

def items():
    global taken
    for number in range(40):
        taken += 1
        assert taken - len(found) <= 6  # two for each of two workers, those not yet asked for besides
        yield number

for number, (result, worker) in enumerate(engine.map(square, items())):
    found.append(result)
    workers.add(worker)
    if number == 5:
        os.kill(worker, signal.SIGKILL)
    if number == 15:
        cluster.remove_node(other)
assert found == [number * number for number in range(40)] == [one for one, _ in Serial().map(square, range(40))]
assert len(workers) > 1

for settings, function, message in (
    ({"num_gpus": 1}, square, "expected a node with 1 CPUs and 1 GPUs for a worker, got 1 CPUs and 0 GPUs"),
    ({"num_cpus": 5}, square, "expected a node with 5 CPUs and 0 GPUs"),
    ({"workers": 1, "retries": 1}, die, "a worker died with item 0, 2 times"),
    ({"workers": 1}, refuse, "^that is no number$"),
):
    with pytest.raises(UserError, match=message):
        list(Ray(cluster.address, **settings).map(function, range(2)))
assert list(Ray(cluster.address).map(square, ())) == []
busy = ray.remote(num_cpus=1)(nap).remote()
while ray.available_resources().get("CPU"):
    time.sleep(0.1)
with pytest.raises(UserError, match="no worker was placed within 1 s"):
    list(Ray(cluster.address, patience=1).map(square, range(2)))
print("all of it")
"""


def test_workers_and_nodes_may_die_and_what_cannot_be_placed_is_told() -> None:
    done = subprocess.run(
        [sys.executable, "-c", WORK + PROGRAM], capture_output=True, text=True, timeout=900, check=False
    )
    assert "all of it" in done.stdout.splitlines(), done.stdout[-2000:] + done.stderr[-4000:]
