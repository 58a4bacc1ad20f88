"""A sentence-transformers folder whose network is run by ONNX Runtime."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import torch

from projhead.encoders.onnx import onnx_runtime
from projhead.encoders.sentence_transformer import SentenceTransformerEncoder
from projhead.persistence.export_record import read_record

#: The graph, where sentence-transformers looks for it.
GRAPH = "onnx/model.onnx"


class StockOnnxEncoder(SentenceTransformerEncoder):
    """What stock ``SentenceTransformer(folder, backend="onnx")`` computes, which needs optimum and this does not.

    ``onnx/model.onnx`` gives token embeddings; the modules behind it, pooling and head, are run by torch.
    `OnnxEncoder` runs a graph with all of it inside, which is faster.

    Parameters
    ----------
    path : str
        What ``projhead export export=sentence_transformers_onnx`` (or ``..._onnx_int8``) wrote.
    device : str, optional
        The CPU, whatever is left out or given; another is refused.
    token_budget : int, default=1024
        Padded tokens of a batch.

    Raises
    ------
    FileNotFoundError
        If there is no export in the folder.
    ModuleNotFoundError
        If ONNX Runtime is not installed.
    ValueError
        If a file is damaged, altered or of another version, the export is of another kind, or the device is no CPU.
    """

    def __init__(self, path: str, *, device: str | None = None, token_budget: int = 1024) -> None:
        if device not in (None, "cpu"):
            raise ValueError(
                f"device of a stock ONNX student: expected cpu, got {device!r}; export=onnx_fp32 has others"
            )
        digests = read_record(Path(path))["sha256"]
        if GRAPH not in digests:
            raise ValueError(f"{path} is another kind of export: it has no {GRAPH}")
        super().__init__(path, device="cpu", token_budget=token_budget, local_files_only=True)
        self.revision = hashlib.sha256(f"{self.revision}{digests[GRAPH]}".encode()).hexdigest()[:16]
        onnxruntime = onnx_runtime()
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        graph = Path(self.path) / GRAPH
        try:
            self._session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # ONNX Runtime raises a dozen kinds of its own
            raise ValueError(f"{graph} cannot be loaded: {str(error).splitlines()[0]}") from error

    def _forward(self, features: dict[str, Any]) -> dict[str, Any]:
        feed = {one.name: features[one.name].numpy() for one in self._session.get_inputs()}
        features["token_embeddings"] = torch.from_numpy(self._session.run(None, feed)[0])
        for stage in list(self.model)[1:]:
            features = stage(features)
        return features
