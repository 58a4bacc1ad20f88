"""The campaigns of scripts/faults in short."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

FAULTS = Path(__file__).parents[2] / "scripts" / "faults"


def test_no_fault_loses_anything_runs_anything_or_ends_in_a_traceback() -> None:
    """In a process of its own, which has no threads yet and may fork."""
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    command = [sys.executable, FAULTS, "--brief"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=400, env=environment)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    tried = [int(found) for found in re.findall(r"\| all +\| +(\d+)", done.stdout)]
    assert len(tried) == 5
    assert min(tried) >= 4
