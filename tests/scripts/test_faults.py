"""The campaigns of scripts/faults in short, in a process that may fork."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

FAULTS = Path(__file__).parents[2] / "scripts" / "faults"


def test_no_fault_loses_anything_runs_anything_or_ends_in_a_traceback() -> None:
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, FAULTS, "--share", "0.02"], capture_output=True, text=True, timeout=300, env=environment
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    tried = [int(found) for found in re.findall(r"\| all +\| +(\d+)", done.stdout)]
    assert [number > 10 for number in tried] == [True] * 5
    assert int(re.search(r"'refused': (\d+)", done.stdout)[1]) > 30  # type: ignore[index]
