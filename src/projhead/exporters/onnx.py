"""The whole graph, token ids to unit rows, as one ONNX file."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from sentence_transformers import SentenceTransformer

from projhead.encoders.onnx import OnnxEncoder
from projhead.exporters.int8 import quantise
from projhead.student import Graph
from projhead.vectors import Vectors

#: Texts whose activations are looked at before quantising.
_CALIBRATION = 128


class Onnx:
    """``model.onnx`` with the tokenizer beside it, for plain ONNX Runtime and tokenizers.

    Inputs are ``input_ids``, ``attention_mask`` (and ``token_type_ids`` where the network reads them), all (b, t)
    int64; the output is ``sentence_embedding`` (b, k) float32, of unit length.

    Parameters
    ----------
    int8 : bool
        Matrix products and token tables in int8, calibrated on the texts that `write` is given.
    """

    title = "One ONNX graph from token ids to unit rows, the projection head inside"
    usage = """
import numpy as np, onnxruntime
from tokenizers import Tokenizer

tokenizer = Tokenizer.from_file("tokenizer.json")
tokenizer.enable_padding()
session = onnxruntime.InferenceSession("model.onnx")
tokens = tokenizer.encode_batch(["a text", "another"])
known = {"input_ids": "ids", "attention_mask": "attention_mask", "token_type_ids": "type_ids"}
feed = {i.name: np.array([getattr(t, known[i.name]) for t in tokens]) for i in session.get_inputs()}
rows = session.run(["sentence_embedding"], feed)[0]
"""
    head_only = False

    def __init__(self, int8: bool = False) -> None:
        self.int8 = int8
        self.min_mean_cosine = 0.995 if int8 else 0.99999

    def write(
        self, subject: SentenceTransformer, folder: Path, items: Sequence[str]
    ) -> Callable[[Sequence[str]], Vectors]:
        """Write a student; return what reads the folder back.

        Raises
        ------
        ImportError
            If ONNX is not installed.
        """
        graph = Graph(subject).eval()
        dynamic = (tuple({0: "batch", 1: "sequence"} for _ in graph.inputs),)
        with quiet():
            program = export_graph(
                graph, tuple(graph.inputs.values()), list(graph.inputs), dynamic, "sentence_embedding"
            )
            model = program.model_proto
            if self.int8:
                model = quantise(
                    model, _batches(subject, list(graph.inputs), items[:: max(len(items) // _CALIBRATION, 1)])
                )
            (folder / "model.onnx").write_bytes(model.SerializeToString())
        save_tokenizer(subject, folder)
        return OnnxEncoder(str(folder)).encode


def export_graph(
    module: torch.nn.Module, example: tuple[torch.Tensor, ...], inputs: list[str], dynamic: Any, output: str
) -> Any:
    """Return an ONNX program of `module` with named inputs and one output.

    Raises
    ------
    ImportError
        If ONNX is not installed.
    """
    try:
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise ImportError("export=onnx... needs ONNX: pip install 'projhead[onnx]'") from error
    with torch.no_grad():
        return torch.onnx.export(
            module, example, dynamo=True, input_names=inputs, output_names=[output], dynamic_shapes=dynamic
        )


def _batches(student: SentenceTransformer, inputs: list[str], texts: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Yield the graph's inputs for one text at a time, so without padding."""
    for text in texts:
        features = student.preprocess([text])
        yield {name: features[name].cpu().numpy() for name in inputs}


def save_tokenizer(student: SentenceTransformer, folder: Path) -> None:
    """Write the tokenizer with the student's length limit inside, and the network's config that other tools read."""
    tokenizer: Any = student.tokenizer
    tokenizer.save_pretrained(folder)
    backend = tokenizer.backend_tokenizer
    backend.no_padding()
    backend.enable_truncation(max_length=student.max_seq_length)
    backend.save(str(folder / "tokenizer.json"))
    network: Any = student[0]
    network.auto_model.config.save_pretrained(folder)


@contextmanager
def quiet() -> Iterator[None]:
    """Silence what the export tools print of their own insides."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "onnxscript", "onnx_ir", "root")]
    levels = [logger.level for logger in loggers]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        try:
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)
