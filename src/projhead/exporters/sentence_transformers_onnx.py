"""A sentence-transformers folder with its network as ONNX too, where stock ``backend="onnx"`` looks for it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from sentence_transformers import SentenceTransformer

from projhead.encoders.stock_onnx import GRAPH, StockOnnxEncoder
from projhead.exporters.sentence_transformers import SentenceTransformersFolder
from projhead.exporters.tokenizer import fast_tokenizer
from projhead.exporters.tracing import whole_graph
from projhead.persistence.export_record import write_record
from projhead.quantization.forms import DTYPES, calibration, in_dtype
from projhead.vectors import Vectors


class SentenceTransformersOnnx:
    """The float32 folder of `SentenceTransformersFolder`, and ``onnx/model.onnx`` in it.

    sentence-transformers has ONNX Runtime compute token embeddings alone, and runs the modules behind them in torch. So
    this graph ends there (``last_hidden_state``, (b, t, d)), and the head stays a stock module. Without ``backend``, or
    with ``"torch"``, the folder's float32 weights are read. Parity is that of the graph.

    Parameters
    ----------
    dtype : str
        Of the graph: as for `projhead.exporters.onnx.Onnx`.

    Raises
    ------
    ValueError
        If the dtype is another.
    """

    title = 'A sentence-transformers model with the projection head inside, for backend="onnx" too'
    usage = """
from sentence_transformers import SentenceTransformer

model = SentenceTransformer(folder, backend="onnx")  # pip install sentence-transformers[onnx]
rows = model.encode(texts)
"""
    encoder = StockOnnxEncoder

    def __init__(self, dtype: str = "float32") -> None:
        if dtype not in DTYPES:
            raise ValueError(f"dtype: expected one of {', '.join(DTYPES)}, got {dtype!r}")
        self.dtype, self.min_mean_cosine = dtype, DTYPES[dtype]

    def write(
        self, subject: SentenceTransformer, folder: Path, items: Sequence[str]
    ) -> Callable[[Sequence[str]], Vectors]:
        """Write a student into the existing empty `folder`; return what reads the folder back.

        Raises
        ------
        ModuleNotFoundError
            If ONNX is not installed.
        ValueError
            If the network cannot be one graph.
        """
        SentenceTransformersFolder().write(subject, folder, items)
        graph = whole_graph(subject, network_only=True)
        prompt = subject.prompts.get(subject.default_prompt_name or "") or ""
        graph = in_dtype(graph, self.dtype, calibration(graph, fast_tokenizer(subject), prompt, items))
        path = folder / GRAPH
        path.parent.mkdir()
        path.write_bytes(graph.SerializeToString())
        write_record(folder, {})  # the encoder reads nothing without one; parity is added when it is known
        return StockOnnxEncoder(str(folder)).encode
