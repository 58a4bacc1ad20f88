"""The whole graph, token ids to unit rows, as one ONNX file."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import StaticEmbedding

from projhead.encoders.graph import GraphEncoder, Unrecorded
from projhead.encoders.onnx import OnnxEncoder
from projhead.encoders.routed import RoutedOnnxEncoder
from projhead.exporters.layout import write_graph_layout
from projhead.exporters.routes import write_each
from projhead.exporters.tokenizer import prompts_of, write_tokenizer
from projhead.exporters.tracing import OPSET, asks_for_side, serve_pooling_tools, usage_with_side, whole_graph
from projhead.quantization.blocks import SCORES, SCORES_OF_GPUS, in_blocks
from projhead.quantization.forms import DTYPES, calibration, in_dtype
from projhead.quantization.network import MOST_BYTES
from projhead.settings.ranges import Count
from projhead.vectors import Vectors

#: What the network's weights can be.
Quantization = Literal["float32", "float16", "int8", "int8_static", "int8_dynamic", "int8_weights", "int4_weights"]


#: Under which names transformers.js looks for quantized graphs, in browsers by itself.
_ALSO = {"float16": "fp16", "int4_weights": "q4"} | dict.fromkeys(
    ("int8", "int8_static", "int8_dynamic", "int8_weights"), "quantized"
)


class _Written(Unrecorded, OnnxEncoder):
    """Runs the files before they have a record."""


class Onnx:
    """``onnx/model.onnx`` with the tokenizer beside it, for ONNX Runtime and all that stands on it.

    Inputs are ``input_ids``, ``attention_mask`` (and ``token_type_ids`` where the network reads them), all (b, t)
    int64 and free in both axes; the output is ``sentence_embedding`` (b, k) float32, of unit length. The second output,
    ``last_hidden_state`` (b, t, k), has that row at every token: tools that pool by themselves, such as stock
    ``SentenceTransformer(folder, backend="onnx")`` and transformers.js, get the same rows.
    A quantized graph is there a second time, under the name that transformers.js looks for, such as
    ``model_quantized.onnx``: one file of two names where the disk has such.
    ``tokenizer.json`` cuts and pads as the student does; the prompts of queries, documents and other texts are in the
    model's metadata. Of a student with a network for queries and another for documents there are two such folders,
    ``query`` and ``document``.

    Parameters
    ----------
    quantization : {"float32", "float16", "int8", "int8_static", "int8_dynamic", "int8_weights", "int4_weights"}
        Of the network. float16 (see `projhead.quantization.float16`) is for GPUs: half the size.
        int8 (see `projhead.quantization.int8`), calibrated on the texts that `write` is given, is for CPUs: a quarter
        of the size, three times the speed. int8_static (see `projhead.quantization.int8_static`) is somewhat faster and
        a little further from the student, the more so on texts unlike those. The last three are ONNX Runtime's own
        (see `projhead.quantization.onnxruntime_int8`).
    opset : int, default=20
        Version of ONNX's operators, 18 at least.
    most_bytes : int
        Of ``model.onnx``, which cannot hold more than 2 GiB. Where more are needed, weights are in ``model.onnx_data``
        beside it, which ONNX Runtime and all that stands on it open by themselves.

    Raises
    ------
    ValueError
        If the quantization is another, or `most_bytes` more than a file can hold.
    """

    title = "One ONNX graph from token ids to unit rows, the projection head inside"
    usage = """
texts = ["a text", "another"]

import numpy as np
import onnxruntime
from tokenizers import Tokenizer

tokenizer = Tokenizer.from_file(f"{folder}/tokenizer.json")  # cuts and pads by itself
session = onnxruntime.InferenceSession(f"{folder}/onnx/model.onnx")
prompt = session.get_modelmeta().custom_metadata_map["document_prompt"]  # of queries: "query_prompt"
tokens = tokenizer.encode_batch([prompt + text for text in texts])
known = {"input_ids": "ids", "attention_mask": "attention_mask", "token_type_ids": "type_ids"}
feed = {i.name: np.array([getattr(t, known[i.name]) for t in tokens]) for i in session.get_inputs()}
rows = session.run(["sentence_embedding"], feed)[0]
"""
    encoder = OnnxEncoder
    routed_encoder = RoutedOnnxEncoder
    form = "onnx"

    def __init__(
        self, quantization: Quantization = "float32", opset: int = OPSET, most_bytes: Count = MOST_BYTES
    ) -> None:
        if quantization not in DTYPES:
            raise ValueError(f"quantization: expected one of {', '.join(DTYPES)}, got {quantization!r}")
        if not 0 < most_bytes <= MOST_BYTES:
            raise ValueError(
                f"most_bytes: expected at most {MOST_BYTES:,}, which an ONNX file holds, got {most_bytes:,}"
            )
        self.quantization, self.opset, self.most_bytes = quantization, opset, most_bytes
        self.min_mean_cosine = DTYPES[quantization]

    def write(
        self, subject: SentenceTransformer, folder: Path, items: Sequence[str]
    ) -> Callable[[Sequence[str]], Vectors]:
        """Write a student into the existing empty `folder`; return what reads the folder back.

        Raises
        ------
        ModuleNotFoundError
            If ONNX is not installed.
        ValueError
            If a network of the student cannot be one graph.
        """
        return write_each(subject, folder, items, self._write)

    def _write(self, subject: SentenceTransformer, folder: Path, items: Sequence[str]) -> GraphEncoder:
        prompts = prompts_of(subject)
        network = whole_graph(subject, self.opset)
        tokenizer = write_tokenizer(subject, folder)
        network = in_dtype(network, self.quantization, calibration(network, tokenizer, subject, items))
        scores = SCORES_OF_GPUS if self.quantization == "float16" else SCORES
        network = serve_pooling_tools(in_blocks(network, scores))
        for entry, prompt in prompts.items():
            network.model.metadata_props.add(key=entry, value=prompt)
        path = folder / "onnx" / "model.onnx"  # where sentence-transformers and transformers.js look
        path.parent.mkdir()
        network.write(path, self.most_bytes)
        if self.quantization in _ALSO:
            _also_as(path, path.with_name(f"model_{_ALSO[self.quantization]}.onnx"))
        if asks_for_side(subject):
            self.usage = usage_with_side(self.usage)
        elif not isinstance(subject[0], StaticEmbedding):  # no stock tool runs the graph of either
            write_graph_layout(subject, folder)
        return _Written(str(folder))


def _also_as(path: Path, name: Path) -> None:
    """Give a file a second name, or a copy where the disk has no links."""
    try:
        name.hardlink_to(path)
    except OSError:
        shutil.copyfile(path, name)
