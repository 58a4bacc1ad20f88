"""The whole graph, token ids to unit rows, as one ONNX file."""

from __future__ import annotations

import copy
import json
import logging
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Pooling, StaticEmbedding
from tokenizers import Tokenizer
from torch import nn

from projhead.encoders.graph import OUTPUT, PROMPT
from projhead.encoders.onnx import OnnxEncoder
from projhead.encoders.texts import clean_texts
from projhead.exporters.table import TokenMean, bare_tokenizer, tables_in_int8, token_example
from projhead.persistence.export_record import write_record
from projhead.quantization.float16 import to_float16
from projhead.quantization.int8 import quantize
from projhead.quantization.int8_static import quantize_static
from projhead.quantization.onnxruntime_int8 import quantize_dynamic, quantize_weights
from projhead.vectors import Vectors

#: What the output of a network alone is called.
NETWORK_OUTPUT = "last_hidden_state"
_OPSET = 20
_INPUTS = ("input_ids", "attention_mask", "token_type_ids")
#: Precisions, and the mean cosine that each reaches with room to spare.
DTYPES = {
    "float32": 0.99999,
    "float16": 0.9999,
    "int8": 0.997,
    "int8_static": 0.997,
    "int8_dynamic": 0.98,
    "int8_weights": 0.999,
    "int4_weights": 0.95,
}
_QUANTIZERS: dict[str, Callable[[Any, Any], Any]] = {
    "int8": quantize,
    "int8_static": quantize_static,
    "int8_dynamic": lambda model, _: quantize_dynamic(model),
    "int8_weights": lambda model, _: quantize_weights(model, 8),
    "int4_weights": lambda model, _: quantize_weights(model, 4),
}
#: Texts that int8 is calibrated on, about.
_CALIBRATION = 256
# What torch's exporter says of every model and a user cannot act on.
_CHATTER = ("# The axis name", "`isinstance\\(treespec, LeafSpec\\)` is deprecated")


class Onnx:
    """``model.onnx`` with the tokenizer beside it, for plain ONNX Runtime and tokenizers.

    Inputs are ``input_ids``, ``attention_mask`` (and ``token_type_ids`` where the network reads them), all (b, t)
    int64 and free in both axes; the output is ``sentence_embedding`` (b, k) float32, of unit length.
    ``tokenizer.json`` cuts and pads as the student does; a prompt is in the model's metadata.

    Parameters
    ----------
    dtype : {"float32", "float16", "int8", "int8_static", "int8_dynamic", "int8_weights", "int4_weights"}
        Of the network. float16 (see `projhead.quantization.float16`) is for GPUs: half the size.
        int8 (see `projhead.quantization.int8`), calibrated on the texts that `write` is given, is for CPUs: a quarter of
        the size, three times the speed. int8_static (see `projhead.quantization.int8_static`) is somewhat faster and a
        little further from the student, the more so on texts unlike those. The last three are ONNX Runtime's own
        (see `projhead.quantization.onnxruntime_int8`).
    opset : int, default=20
        Version of ONNX's operators, 18 at least.

    Raises
    ------
    ValueError
        If the dtype is another.
    """

    title = "One ONNX graph from token ids to unit rows, the projection head inside"
    usage = """
import numpy as np
import onnxruntime
from tokenizers import Tokenizer

tokenizer = Tokenizer.from_file(f"{folder}/tokenizer.json")  # cuts and pads by itself
session = onnxruntime.InferenceSession(f"{folder}/model.onnx")
prompt = session.get_modelmeta().custom_metadata_map.get("prompt", "")
tokens = tokenizer.encode_batch([prompt + text for text in texts])
known = {"input_ids": "ids", "attention_mask": "attention_mask", "token_type_ids": "type_ids"}
feed = {i.name: np.array([getattr(t, known[i.name]) for t in tokens]) for i in session.get_inputs()}
rows = session.run(["sentence_embedding"], feed)[0]
"""
    encoder = OnnxEncoder

    def __init__(self, dtype: str = "float32", opset: int = _OPSET) -> None:
        if dtype not in DTYPES:
            raise ValueError(f"dtype: expected one of {', '.join(DTYPES)}, got {dtype!r}")
        self.dtype, self.opset = dtype, opset
        self.min_mean_cosine = DTYPES[dtype]

    def write(
        self, subject: SentenceTransformer, folder: Path, items: Sequence[str]
    ) -> Callable[[Sequence[str]], Vectors]:
        """Write a student into the existing empty `folder`; return what reads the folder back.

        Raises
        ------
        ModuleNotFoundError
            If ONNX is not installed.
        ValueError
            If the student cannot be one graph.
        """
        prompt = prompt_of(subject)
        model = whole_graph(subject, self.opset)
        tokenizer = write_tokenizer(subject, folder)
        model = in_dtype(model, self.dtype, calibration(model, tokenizer, prompt, items))
        model.metadata_props.add(key=PROMPT, value=prompt)
        (folder / "model.onnx").write_bytes(model.SerializeToString())
        write_record(folder, {})  # the encoder reads nothing without one; parity is added when it is known
        return OnnxEncoder(str(folder)).encode


def in_dtype(model: Any, dtype: str, batches: Iterator[dict[str, NDArray[np.int64]]]) -> Any:
    """Return a float32 graph in one of `DTYPES`; int8 and int8_static are calibrated on the batches of inputs.

    Of a table of tokens, which has no products of activations and weights but its head's, the table is in int8.
    """
    if dtype == "float16":
        return to_float16(model)
    if dtype in ("int8", "int8_static") and all(node.op_type != "MatMul" for node in model.graph.node):
        return tables_in_int8(model)
    return _QUANTIZERS[dtype](model, batches) if dtype in _QUANTIZERS else model


class _Stages(nn.Module):
    """Modules of a student as torch exports them: tensors in, the last one's output out."""

    def __init__(self, stages: Sequence[nn.Module], names: Sequence[str], output: str) -> None:
        super().__init__()
        self.stages, self.names, self.output = nn.ModuleList(stages), names, output

    def forward(self, *tensors: torch.Tensor) -> torch.Tensor:
        features: dict[str, Any] = dict(zip(self.names, tensors, strict=True))
        for stage in self.stages:
            features = stage(features)
        found: torch.Tensor = features[self.output]
        return found


def whole_graph(student: SentenceTransformer, opset: int = _OPSET, *, network_only: bool = False) -> Any:
    """Return a student as an onnx.ModelProto, from token ids to `sentence_embedding` (b, k).

    With `network_only`, its network as other tools expect it: from token ids to ``last_hidden_state`` (b, t, d).
    """
    # A copy: the network is the teacher's too, which may be on another device and goes on.
    student = copy.deepcopy(student).cpu().eval()
    network: Any = getattr(student[0], "auto_model", None)
    if hasattr(network, "set_attn_implementation"):
        network.set_attn_implementation("eager")  # plain products and softmax: half the nodes of the fused form
    stages = list(student)
    if isinstance(student[0], StaticEmbedding) and not network_only:
        stages, example = [TokenMean(student[0]), *stages[1:]], token_example()
    else:
        example = student.preprocess(["a text", "another text, a longer one"])
    tensors = {name: value for name, value in example.items() if isinstance(value, torch.Tensor)}
    if not {"input_ids", "attention_mask"} <= set(tensors) <= set(_INPUTS):
        raise ValueError(
            f"expected a transformer that takes {', '.join(_INPUTS)}, got a model that takes {sorted(tensors)}; "
            "export=sentence_transformers keeps any model"
        )
    names = [name for name in _INPUTS if name in tensors]
    axes = {0: torch.export.Dim("batch"), 1: torch.export.Dim("sequence")}
    module = _Stages([stages[0]], names, "token_embeddings") if network_only else _Stages(stages, names, OUTPUT)
    return export_graph(
        module,
        tuple(tensors[name] for name in names),
        names,
        (tuple(axes for _ in names),),  # once more in a tuple: they are one argument, *tensors
        NETWORK_OUTPUT if network_only else OUTPUT,
        opset=opset,
    )


def export_graph(
    module: nn.Module,
    example: tuple[torch.Tensor, ...],
    inputs: list[str],
    dynamic: Any,
    output: str,
    *,
    opset: int = _OPSET,
) -> Any:
    """Return `module` as an onnx.ModelProto with named inputs and one output.

    Raises
    ------
    ModuleNotFoundError
        If ONNX is not installed.
    """
    try:
        import onnxscript  # noqa: F401  # torch's exporter needs it
    except ImportError as error:
        raise ModuleNotFoundError("export=onnx... needs ONNX: pip install projhead[onnx]") from error
    with _quiet(), torch.inference_mode(False), torch.no_grad():
        program = torch.onnx.export(
            module.eval(),
            example,
            dynamo=True,
            verbose=False,
            opset_version=opset,
            input_names=inputs,
            output_names=[output],
            dynamic_shapes=dynamic,
        )
    assert program is not None
    model = program.model_proto
    for node in model.graph.node:  # torch leaves the exporting machine's file names in them
        del node.metadata_props[:]
        node.doc_string = ""
    return model


def prompt_of(student: SentenceTransformer) -> str:
    """Return what the student puts before every text, and refuse what a graph of tokens cannot do with it."""
    prompt = student.prompts.get(student.default_prompt_name or "") or ""
    if prompt and any(isinstance(module, Pooling) and not module.include_prompt for module in student):
        raise ValueError(
            "the student leaves its prompt out of pooling, and a graph of tokens does not know where a prompt ends; "
            "export=sentence_transformers keeps it"
        )
    return prompt


def fast_tokenizer(student: SentenceTransformer) -> Tokenizer:
    """Return the student's tokenizer as the package tokenizers runs it, which cuts and pads by itself."""
    stock: Any = student.tokenizer
    if isinstance(stock, Tokenizer):
        return bare_tokenizer(stock)
    backend = getattr(stock, "backend_tokenizer", None)
    if backend is None:
        raise ValueError(f"expected a tokenizer that the package tokenizers runs, got {type(stock).__name__}")
    tokenizer = Tokenizer.from_str(backend.to_str())
    if (limit := _limit(student)) is None:
        tokenizer.no_truncation()
    else:
        tokenizer.enable_truncation(limit, direction=stock.truncation_side)
    tokenizer.enable_padding(
        direction=stock.padding_side,
        pad_id=stock.pad_token_id,
        pad_type_id=stock.pad_token_type_id,
        pad_token=stock.pad_token,
    )
    return tokenizer


def write_tokenizer(student: SentenceTransformer, folder: Path) -> Tokenizer:
    """Write the tokenizer's files, which cut and pad by themselves, and the network's config that other tools read."""
    stock: Any = student.tokenizer
    tokenizer = fast_tokenizer(student)
    if isinstance(stock, Tokenizer):  # of a table, which has no other settings
        tokenizer.save(str(folder / "tokenizer.json"))
        return tokenizer
    stock.save_pretrained(folder)
    tokenizer.save(str(folder / "tokenizer.json"))
    config = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))
    config.pop("max_length", None)  # of the teacher's training: some readers would cut there
    config["model_max_length"] = _limit(student) or stock.model_max_length
    special = {name: str(token) for name, token in stock.special_tokens_map.items() if isinstance(token, str)}
    for name, content in (("tokenizer_config.json", config), ("special_tokens_map.json", special)):
        (folder / name).write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    network: Any = student[0]
    network.auto_model.config.to_json_file(folder / "config.json")
    return tokenizer


def _limit(student: SentenceTransformer) -> int | None:
    """Return the tokens of a text that are read; transformers writes a number beyond all bounds for no limit."""
    limit = student.max_seq_length
    return limit if limit is not None and limit < 1_000_000 else None


def calibration(
    model: Any, tokenizer: Tokenizer, prompt: str, items: Sequence[str]
) -> Iterator[dict[str, NDArray[np.int64]]]:
    """Yield what a graph takes, each (1, t), for some of the texts."""
    names = [node.name for node in model.graph.input]
    for text in clean_texts(items)[:: max(len(items) // _CALIBRATION, 1)]:
        ids = np.array([tokenizer.encode(prompt + text).ids], np.int64)
        known = {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}
        yield {name: known[name] for name in names}


@contextmanager
def _quiet() -> Iterator[None]:
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    with warnings.catch_warnings():
        for message in _CHATTER:
            warnings.filterwarnings("ignore", message=message)
        logger.setLevel(logging.ERROR)
        try:
            yield
        finally:
            logger.setLevel(level)
