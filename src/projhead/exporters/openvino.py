"""The whole graph, token ids to unit rows, for OpenVINO."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import StaticEmbedding

from projhead.encoders.graph import ATTENTION, GraphEncoder, Unrecorded
from projhead.encoders.openvino import PRECISION, OpenVinoEncoder, openvino_runtime
from projhead.encoders.routed import RoutedOpenVinoEncoder
from projhead.exporters.layout import write_graph_layout
from projhead.exporters.routes import write_each
from projhead.exporters.tokenizer import prompts_of, write_tokenizer
from projhead.exporters.tracing import asks_for_side, serve_pooling_tools, usage_with_side, whole_graph
from projhead.quantization.blocks import attention_of, in_blocks
from projhead.quantization.columns import in_columns
from projhead.quantization.forms import calibration, in_dtype
from projhead.vectors import Vectors

#: Precisions, and the mean cosine that each reaches with room to spare.
_DTYPES = {"float32": 0.99999, "int8": 0.997, "int8_static": 0.997, "int8_bf16": 0.997}

#: Tokens from which a network's activations are worth cutting.
_LONG = 1024

#: What the network's weights can be.
Quantization = Literal["float32", "int8", "int8_static", "int8_bf16"]


class _Written(Unrecorded, OpenVinoEncoder):
    """Runs the files before they have a record."""


class OpenVino:
    """``openvino/openvino_model.xml`` and ``.bin`` with the tokenizer beside them; inputs and outputs as in `Onnx`.

    Prompts are in the model's run-time information, at ``projhead/query_prompt`` and so on.

    Parameters
    ----------
    quantization : {"float32", "int8", "int8_static", "int8_bf16"}
        Of the network. int8, which is int8_static (see `projhead.quantization.int8_static`), is calibrated on the texts
        that `write` is given: a quarter of the size, four times the speed. int8_bf16 is the same file, but for a note
        that what is left may be computed in bfloat16, which takes off a tenth (short texts) to a sixth (long ones) of
        the time where the processor has it. Rows stay as near to the student's, but depend a little on what else is in
        their batch.

    Raises
    ------
    ValueError
        If the quantization is another.
    """

    title = "One OpenVINO graph from token ids to unit rows, the projection head inside"
    usage = """
texts = ["a text", "another"]

import numpy as np
import openvino
from tokenizers import Tokenizer

tokenizer = Tokenizer.from_file(f"{folder}/tokenizer.json")  # cuts and pads by itself
model = openvino.Core().read_model(f"{folder}/openvino/openvino_model.xml")
prompt = model.get_rt_info(["projhead", "document_prompt"]).value  # of queries: "query_prompt"
compiled = openvino.compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
tokens = tokenizer.encode_batch([prompt + text for text in texts])
known = {"input_ids": "ids", "attention_mask": "attention_mask", "token_type_ids": "type_ids"}
feed = {i.any_name: np.array([getattr(t, known[i.any_name]) for t in tokens]) for i in model.inputs}
rows = compiled(feed)["sentence_embedding"]
"""
    encoder = OpenVinoEncoder
    routed_encoder = RoutedOpenVinoEncoder
    form = "openvino"

    def __init__(self, quantization: Quantization = "float32") -> None:
        if quantization not in _DTYPES:
            raise ValueError(f"quantization: expected one of {', '.join(_DTYPES)}, got {quantization!r}")
        self.quantization, self.min_mean_cosine = quantization, _DTYPES[quantization]
        if quantization == "int8_bf16":
            self.usage = self.usage.replace('"f32"', '"bf16"')

    def write(
        self, subject: SentenceTransformer, folder: Path, items: Sequence[str]
    ) -> Callable[[Sequence[str]], Vectors]:
        """Write a student into the existing empty `folder`; return what reads the folder back.

        Raises
        ------
        ModuleNotFoundError
            If OpenVINO or ONNX is not installed.
        ValueError
            If a network of the student cannot be one graph.
        """
        return write_each(subject, folder, items, self._write)

    def _write(self, subject: SentenceTransformer, folder: Path, items: Sequence[str]) -> GraphEncoder:
        openvino = openvino_runtime()
        prompts = prompts_of(subject)
        network = whole_graph(subject)
        if (subject.max_seq_length or 0) > _LONG:
            network = in_columns(network)
        tokenizer = write_tokenizer(subject, folder)
        if self.quantization != "float32":
            network = in_dtype(network, "int8_static", calibration(network, tokenizer, subject, items))
        (folder / "openvino").mkdir()  # where sentence-transformers looks
        with TemporaryDirectory(dir=folder) as temporary:  # on the disk that has room for it
            serve_pooling_tools(network).write(graph := Path(temporary) / "model.onnx")
            model = openvino.Core().read_model(graph)
            for entry, prompt in prompts.items():
                model.set_rt_info(prompt, ["projhead", entry])
            model.set_rt_info(attention_of(in_blocks(network)), ["projhead", ATTENTION])
            if self.quantization == "int8_bf16":
                model.set_rt_info("bf16", ["projhead", PRECISION])
            openvino.save_model(model, folder / "openvino" / "openvino_model.xml", compress_to_fp16=False)
        if asks_for_side(subject):
            self.usage = usage_with_side(self.usage)
        elif not isinstance(subject[0], StaticEmbedding):  # no stock tool runs the graph of either
            write_graph_layout(subject, folder)
        return _Written(str(folder))
