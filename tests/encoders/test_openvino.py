from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path


def test_nothing_reports_its_use(exports: Callable[[str], Path], tmp_path: Path) -> None:
    code = (
        f"import sys, projhead; projhead.load_student({str(exports('openvino'))!r}).encode(['a cat']); "
        "assert 'openvino' in sys.modules; assert sys.modules['openvino_telemetry'] is None"
    )
    environment = os.environ | {"HOME": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / "intel").exists()
