"""An exported student run by ONNX Runtime."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from projhead.encoders.graph import OUTPUT, GraphEncoder, Tokens
from projhead.encoders.providers import Buckets, best_budget, engine_options, providers

# From 1.29 on ONNX Runtime reports its use over the network, under an identifier that it writes into the user's cache,
# unless this is set before it is imported. All of projhead that imports it imports this module first.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")


class OnnxEncoder(GraphEncoder):
    """A folder with ``onnx/model.onnx``, as ``projhead export export=onnx`` writes it; see `GraphEncoder`.

    The devices but the CPU were tested up to the options that ONNX Runtime is given, and **never run on a GPU**. They
    are meant for quantization=float32 and float16; the int8 exports are for CPUs.

    Parameters
    ----------
    path : str
        The folder.
    threads : int, optional
        Batches that run at once. Where not given, as many as there are processors on a CPU, one elsewhere.
    token_budget : int, optional
        Padded tokens of a batch. Where not given 1,024 on a CPU, 16,384 by CUDA, 4,096 by TensorRT.
    device : {"cpu", "cuda", "tensorrt", "tensorrt_fp16"}, default="cpu"
        All but the first need onnxruntime-gpu in place of onnxruntime. TensorRT pads texts to a few lengths, so that
        one engine, kept in the user's cache, takes every batch (see `projhead.encoders.providers`). ``tensorrt_fp16``
        lets it choose float16, which ``onnx_fp16`` needs.

    Raises
    ------
    ImportError
        If ONNX Runtime is not installed, has no provider for the device, or cannot start it.
    ValueError
        If the device is another, TensorRT is asked to run a model without a limit of tokens, or as `GraphEncoder` says.
    """

    files, more = ("onnx/model.onnx",), ("onnx/model.onnx_data",)
    _buckets: Buckets | None = None

    def __init__(
        self, path: str, *, threads: int | None = None, token_budget: int | None = None, device: str = "cpu"
    ) -> None:
        self.device = device
        budget = best_budget(device) if token_budget is None else token_budget
        super().__init__(path, threads=1 if threads is None and device != "cpu" else threads, token_budget=budget)

    def _open(self, path: Path) -> tuple[list[str], dict[str, Sequence[Any]], Mapping[str, str]]:
        self._session = session = self._start(path)
        outputs = {one.name: one.shape for one in session.get_outputs()}
        return (
            [one.name for one in session.get_inputs()],
            outputs,
            session.get_modelmeta().custom_metadata_map,
        )

    def _start(self, path: Path) -> Any:
        """Return a session that runs the graph on the device."""
        onnxruntime = onnx_runtime()
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        options.intra_op_num_threads = self._threads
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # batches run beside each other
        chain = providers(self.device, onnxruntime.get_available_providers())
        if self.device != "cpu":
            onnxruntime.preload_dlls()  # CUDA where pip put it
        if self.device.startswith("tensorrt"):
            self._buckets = self._plan()
        try:
            if self._buckets:  # the graph says what its inputs are called, and TensorRT wants to know before
                graph = onnxruntime.InferenceSession(path, options, providers=chain[-1:])
                names, fp16 = [one.name for one in graph.get_inputs()], self.device == "tensorrt_fp16"
                chain[0][1].update(engine_options(self._buckets, names, self._fingerprint, fp16=fp16))
                Path(chain[0][1]["trt_engine_cache_path"]).mkdir(parents=True, exist_ok=True)  # it makes the last alone
            session = onnxruntime.InferenceSession(path, options, providers=chain)
        except Exception as error:  # ONNX Runtime raises a dozen kinds of its own
            raise ValueError(f"{path} cannot be loaded: {str(error).splitlines()[0]}") from error
        if chain[0][0] not in (started := session.get_providers()):  # it goes on with the next one
            raise ImportError(
                f"device={self.device}: expected {chain[0][0]} to start, got {', '.join(started)} alone; install the "
                "CUDA, cuDNN (and TensorRT) that this version of onnxruntime-gpu needs, or choose device=cpu (projhead "
                "was never tested with ONNX Runtime on a GPU)"
            )
        return session

    def _plan(self) -> Buckets:
        """Return the buckets of the model."""
        limit = (self._tokenizer.truncation or {}).get("max_length")
        if limit is None:
            raise ValueError(
                f"device={self.device}: expected a tokenizer that cuts texts, got one without a limit; "
                "choose device=cuda"
            )
        return Buckets.up_to(limit, self.token_budget)

    def _room(self, length: int) -> int:
        return self._buckets.padded(length) if self._buckets else super()._room(length)

    def _run(self, feed: dict[str, Tokens]) -> NDArray[np.float32]:
        rows: NDArray[np.float32]
        (rows,) = self._session.run([OUTPUT], feed)
        return rows


def onnx_runtime() -> Any:
    """Import ONNX Runtime.

    Raises
    ------
    ModuleNotFoundError
        If it is not installed.
    """
    try:
        import onnxruntime
    except ImportError as error:
        raise ModuleNotFoundError("an exported ONNX student needs ONNX Runtime: pip install projhead[onnx]") from error
    return onnxruntime
