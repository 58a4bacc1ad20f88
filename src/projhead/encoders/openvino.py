"""An exported student run by OpenVINO."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import numpy as np
from numpy.typing import NDArray

from projhead.encoders.graph import OUTPUT, PROMPT, GraphEncoder, Tokens

#: Where a model says that what it leaves in floats may be computed in halves, as int8 has coarser steps than those.
COARSE = ["projhead", "coarse_floats"]
_HINTS = {"float32": "f32", "bfloat16": "bf16"}


class OpenVinoEncoder(GraphEncoder):
    """A folder with ``openvino_model.xml``, as ``projhead export export=openvino`` writes it; see `GraphEncoder`.

    Parameters
    ----------
    path, threads, token_budget
        As for `GraphEncoder`.
    dtype : {"float32", "bfloat16"}, optional
        What the network's floats are computed in. Where not given float32, but of an int8 student, whose steps are
        coarser, bfloat16 where a processor has such products: 1.1 to 1.2 times the speed, and rows that depend in
        their third digit on what else is in their batch.

    Raises
    ------
    ValueError
        If the dtype is another, or as `GraphEncoder` says.
    """

    files = ("openvino_model.xml", "openvino_model.bin")

    def __init__(
        self, path: str, *, threads: int | None = None, token_budget: int = 1024, dtype: str | None = None
    ) -> None:
        if dtype not in (None, *_HINTS):
            raise ValueError(f"dtype: expected one of {', '.join(_HINTS)}, got {dtype!r}")
        self.dtype = dtype
        super().__init__(path, threads=threads, token_budget=token_budget)

    def _open(self, path: Path) -> tuple[list[str], dict[str, Sequence[Any]], str]:
        core = openvino_runtime().Core()
        settings: dict[str, Any] = {
            "NUM_STREAMS": self._threads,  # batches run beside each other
            "INFERENCE_NUM_THREADS": self._threads,
            "ENABLE_CPU_PINNING": False,
        }
        try:
            model = core.read_model(path)
            if self.dtype or not model.has_rt_info(COARSE):  # it would choose bfloat16 where a processor has it
                settings["INFERENCE_PRECISION_HINT"] = _HINTS[self.dtype or "float32"]
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
        place = ["projhead", PROMPT]
        prompt = str(model.get_rt_info(place).value) if model.has_rt_info(place) else ""
        return [one.any_name for one in model.inputs], outputs, prompt

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
