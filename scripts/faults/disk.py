"""Let the disk fill up under every verb: one line, the old state or the new, and the same command ends well later.

    python scripts/faults/disk.py [--points 12] [--jobs encode index ...]

No file may grow beyond a limit (RLIMIT_FSIZE), which is tried at sizes up to the largest file that the job writes.
Where this process may mount, the same is done on a real disk in memory that is nearly full.
"""

from __future__ import annotations

import os
import resource
import signal
import subprocess
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from harness import Campaign, bench_parser, told, workplace
from jobs import jobs

_MEGABYTE = 1 << 20


def limited(campaign: Campaign, points: int) -> None:
    """Run a job with files of limited size."""
    largest = max((one.stat().st_size for one in campaign.root.rglob("*") if one.is_file()), default=1)
    for limit in np.unique(np.geomspace(1, largest, points).astype(int) - 1):

        def fault(act: Callable[[], Any], limit: int = int(limit)) -> None:
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
            try:
                act()
            finally:
                resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))

        campaign.faulty(f"files of {limit} bytes", fault)


def filled(campaign: Campaign, points: int) -> None:
    """Run a job on a disk that has little space left."""
    room = sum(one.stat().st_size for one in campaign.root.rglob("*") if one.is_file())
    for left in np.unique(np.geomspace(4096, max(room, 8192), points).astype(int)):

        def fault(act: Callable[[], Any], left: int = int(left)) -> None:
            ballast = campaign.root.parent / "ballast"
            space = os.statvfs(campaign.root)
            ballast.write_bytes(bytes(max(space.f_bavail * space.f_frsize - left, 0)))
            try:
                act()
            finally:
                ballast.unlink()

        campaign.faulty(f"{left} bytes left", fault)


def run(points: int, names: list[str] | None = None, mount: bool = True) -> tuple[dict[str, Counter[str]], list[str]]:
    """Return the counts of each job, and what should not have been."""
    counts, lines = {}, []
    with workplace() as (root, kept):
        mounted = mount and _mounted(root.parent / "disk")
        try:
            for way, top in (("limit", root), ("disk", root.parent / "disk" / "work"))[: 1 + mounted]:
                for job in jobs(top, slow=False):
                    if not names or job.name in names:
                        campaign = Campaign(job, top, kept / Path("state"))
                        (limited if way == "limit" else filled)(campaign, points)
                        counts[f"{job.name}, {way}"], lines = campaign.found, [*lines, *campaign.lines]
        finally:
            if mounted:
                subprocess.run(["umount", root.parent / "disk"], check=True)
    return counts, lines


def _mounted(path: Path) -> bool:
    """Mount a disk in memory, where that is allowed."""
    path.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={4 * _MEGABYTE}", "tmpfs", path]
    return os.geteuid() == 0 and subprocess.run(command, capture_output=True, check=False).returncode == 0


def main() -> None:
    parser = bench_parser(__doc__)
    parser.add_argument("--points", type=int, default=12, help="limits for each job")
    parser.add_argument("--jobs", nargs="+", help="names of jobs; all where not given")
    arguments = parser.parse_args()
    raise SystemExit(told(*run(arguments.points, arguments.jobs)) > 0)


if __name__ == "__main__":
    main()
