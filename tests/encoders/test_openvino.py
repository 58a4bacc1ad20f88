from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from projhead.encoders.load import load_encoder
from projhead.encoders.openvino import openvino_runtime


def test_nothing_reports_its_use(exports: Callable[[str], Path], tmp_path: Path) -> None:
    code = (
        f"import sys, projhead; projhead.load_encoder({str(exports('openvino'))!r}).encode(['a cat']); "
        "assert 'openvino' in sys.modules; assert sys.modules['openvino_telemetry'] is None"
    )
    environment = os.environ | {"HOME": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / "intel").exists()


@pytest.mark.parametrize("native", [True, False])
def test_bfloat16_is_for_exports_that_say_so_and_processors_that_have_it(
    native: bool, exports: Callable[[str], Path], odd_texts: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folders = {kind: exports(kind) for kind in ("openvino_int8", "openvino_int8_bf16")}
    openvino = openvino_runtime()
    asked: list[str] = []

    class Core(openvino.Core):  # type: ignore[misc,name-defined]
        def get_property(self, device: str, name: str) -> Any:
            return ["FP32", "BF16"] if native else ["FP32"]

        def compile_model(self, model: Any, device: str, settings: dict[str, Any]) -> Any:
            asked.append(settings["INFERENCE_PRECISION_HINT"])
            return super().compile_model(model, device, settings)

    monkeypatch.setattr(openvino, "Core", Core)
    rows = [load_encoder(folder).encode(odd_texts) for folder in folders.values()]
    assert asked == ["f32", "bf16" if native else "f32"]
    assert np.array_equal(*rows) or native
    assert (rows[0] * rows[1]).sum(1).mean() > 0.999
