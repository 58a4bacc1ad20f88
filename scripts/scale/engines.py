"""The same store, byte for byte, by one process and by a Ray cluster whose workers, nodes and driver die.

    python scripts/scale/engines.py texts.parquet [--n 2000] [--out FOLDER] [encoder=... more settings of encode]

Three nodes of one CPU each run on this machine. `projhead encode` runs four times: by one process; on the cluster,
where a worker is killed and then a node removed; on the cluster, where the driver is killed; and by one process, which
goes on with that. Every store is compared with the first by `diff -r`. Needs projhead[ray].
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from ray.cluster_utils import Cluster


def encode(args: argparse.Namespace, name: str, *more: str) -> subprocess.Popen[bytes]:
    settings = [
        "corpus=file", f"corpus.path={args.texts}", f"corpus.max_documents={args.n}", f"out={args.out / name}",
        f"shard_rows={args.n // 16}", *args.settings, *more,
    ]  # fmt: skip
    return subprocess.Popen([sys.executable, "-m", "projhead.cli", "encode", *settings])


def wait_for(folder: Path, shards: int) -> None:
    while len(list(folder.glob("data-*.arrow"))) < shards:
        time.sleep(0.2)


def workers() -> list[int]:
    """Return the processes of Ray that hold an encoder."""
    told = subprocess.run(["ps", "-eo", "pid,args"], capture_output=True, text=True, check=True).stdout.splitlines()
    return [int(line.split()[0]) for line in told if "ray::_Worker" in line]


def same(args: argparse.Namespace, name: str) -> None:
    done = subprocess.run(["diff", "-r", str(args.out / "one"), str(args.out / name)], check=False)
    print(f"diff -r one {name}: {'the same bytes' if not done.returncode else 'DIFFERENT'}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("texts", type=Path)
    parser.add_argument("--n", type=int, default=2000)
    parser.add_argument("--out", type=Path, default=Path("engines"))
    parser.add_argument("settings", nargs="*")
    args = parser.parse_args()

    assert encode(args, "one").wait() == 0
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    nodes = [cluster.add_node(num_cpus=1) for _ in range(2)]
    ray = ["engine=ray", f"engine.address={cluster.address}"]

    driver = encode(args, "deaths", *ray)
    wait_for(args.out / "deaths", 3)
    os.kill(victim := workers()[-1], signal.SIGKILL)
    print(f"killed worker {victim}", flush=True)
    wait_for(args.out / "deaths", 6)
    cluster.remove_node(nodes[0])
    print("removed a node", flush=True)
    assert driver.wait() == 0
    same(args, "deaths")

    driver = encode(args, "resumed", *ray)
    wait_for(args.out / "resumed", 4)
    driver.kill()
    print(f"killed the driver; it left {sorted(path.name for path in (args.out / 'resumed').iterdir())}", flush=True)
    driver.wait()
    assert encode(args, "resumed").wait() == 0
    same(args, "resumed")
    cluster.shutdown()


if __name__ == "__main__":
    main()
