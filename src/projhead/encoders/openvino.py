"""An exported student run by OpenVINO."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import numpy as np
from numpy.typing import NDArray

from projhead.encoders.graph import ATTENTION, OUTPUT, PROMPTS, GraphEncoder, Tokens

#: The entry beside the prompt that says what a network may compute with where it has no int8; float32 without one.
PRECISION = "precision"


class OpenVinoEncoder(GraphEncoder):
    """A folder with ``openvino/openvino_model.xml``, as ``export=openvino`` writes it; see `GraphEncoder`.

    Those of ``export=openvino quantization=int8_bf16`` compute in bfloat16 where the processor has it (AVX512-BF16,
    AMX), and in float32 elsewhere.
    """

    files = ("openvino/openvino_model.xml", "openvino/openvino_model.bin")

    def _open(self, path: Path) -> tuple[list[str], dict[str, Sequence[Any]], Mapping[str, str]]:
        core = openvino_runtime().Core()
        settings: dict[str, Any] = {
            "NUM_STREAMS": self._threads,  # batches run beside each other
            "INFERENCE_NUM_THREADS": self._threads,
            "ENABLE_CPU_PINNING": False,
        }
        try:
            model = core.read_model(path)
            precision = self._told(model, PRECISION) or "f32"
            native = precision.upper() in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
            settings["INFERENCE_PRECISION_HINT"] = precision if native else "f32"  # others simulate it, slowly
            compiled = core.compile_model(model, "CPU", settings)
        except RuntimeError as error:
            raise ValueError(f"{path} cannot be loaded: {' '.join(str(error).split())[:300]}") from error
        self._requests: SimpleQueue[Any] = SimpleQueue()
        for _ in range(self._threads):
            self._requests.put(compiled.create_infer_request())
        outputs: dict[str, Sequence[Any]] = {
            one.any_name: [None if axis.is_dynamic else axis.get_length() for axis in one.partial_shape]
            for one in model.outputs
        }
        said = {
            name: value for name in (*PROMPTS.values(), ATTENTION) if (value := self._told(model, name)) is not None
        }
        return [one.any_name for one in model.inputs], outputs, said

    @staticmethod
    def _told(model: Any, name: str) -> str | None:
        """Return an entry of ours in a model's run-time information."""
        place = ["projhead", name]
        return str(model.get_rt_info(place).value) if model.has_rt_info(place) else None

    def _run(self, feed: dict[str, Tokens]) -> NDArray[np.float32]:
        request = self._requests.get()
        try:
            rows: NDArray[np.float32] = request.infer(feed)[OUTPUT]
        finally:
            self._requests.put(request)
        return rows


def openvino_runtime() -> Any:
    """Import OpenVINO without the package that reports its use over the network each time that it is imported.

    Raises
    ------
    ModuleNotFoundError
        If OpenVINO is not installed.
    """
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]  # OpenVINO has an empty stand-in
    try:
        import openvino
    except ImportError as error:
        raise ModuleNotFoundError("an OpenVINO student needs OpenVINO: pip install projhead[openvino]") from error
    return openvino
