"""An exported student run by ONNX Runtime."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from projhead.encoders.graph import OUTPUT, PROMPT, GraphEncoder, Tokens


class OnnxEncoder(GraphEncoder):
    """A folder with ``model.onnx``, as ``projhead export export=onnx_...`` writes it; see `GraphEncoder`."""

    files = ("model.onnx",)

    def _open(self, path: Path) -> tuple[list[str], dict[str, Sequence[Any]], str]:
        try:
            import onnxruntime
        except ImportError as error:
            raise ModuleNotFoundError(
                "an exported ONNX student needs ONNX Runtime: pip install projhead[onnx]"
            ) from error
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        options.intra_op_num_threads = self._threads
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # batches run beside each other
        try:
            session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # ONNX Runtime raises a dozen kinds of its own
            raise ValueError(f"{path} cannot be loaded: {str(error).splitlines()[0]}") from error
        self._session = session
        outputs = {one.name: one.shape for one in session.get_outputs()}
        return (
            [one.name for one in session.get_inputs()],
            outputs,
            session.get_modelmeta().custom_metadata_map.get(PROMPT, ""),
        )

    def _run(self, feed: dict[str, Tokens]) -> NDArray[np.float32]:
        rows: NDArray[np.float32]
        (rows,) = self._session.run([OUTPUT], feed)
        return rows
