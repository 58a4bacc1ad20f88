"""Trace a student's modules into one ONNX graph."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr
from io import StringIO
from typing import Any

import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import StaticEmbedding
from torch import nn

from projhead.console.quiet import quiet
from projhead.data import IS_QUERY
from projhead.encoders.graph import OUTPUT
from projhead.encoders.lift import Lift
from projhead.errors import UserError
from projhead.exporters.table import TokenMean, token_example
from projhead.quantization.masks import narrow_masks
from projhead.quantization.network import SMALL, Network

#: What tools that pool by themselves read of a graph.
_POOLED_BY_OTHERS = "last_hidden_state"
OPSET = 20
_INPUTS = ("input_ids", "attention_mask", "token_type_ids")
# What torch's exporter says of every model and a user cannot act on.
_CHATTER = ("# The axis name", "`isinstance\\(treespec, LeafSpec\\)` is deprecated")
_TALKERS = ("torch.onnx", "torch.fx.experimental.symbolic_shapes")


class _Stages(nn.Module):
    """Modules of a student as torch exports them: tensors in, rows out."""

    def __init__(self, stages: Sequence[nn.Module], names: Sequence[str]) -> None:
        super().__init__()
        self.stages, self.names = nn.ModuleList(stages), names

    def forward(self, *tensors: torch.Tensor) -> torch.Tensor:
        features: dict[str, Any] = dict(zip(self.names, tensors, strict=True))
        for stage in self.stages:
            features = stage(features)
        found: torch.Tensor = features[OUTPUT]
        return found


def whole_graph(student: SentenceTransformer, opset: int = OPSET) -> Network:
    """Return a student's graph, from token ids to `sentence_embedding` (b, k).

    Raises
    ------
    ValueError
        If the student takes other inputs than token ids, mask and types.
    """
    student = _apart_on_cpu(student).eval()
    network: Any = getattr(student[0], "auto_model", None)
    if hasattr(network, "set_attn_implementation"):
        network.set_attn_implementation("eager")  # plain products and softmax: half the nodes of the fused form
    stages = list(student)
    if isinstance(student[0], StaticEmbedding):
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
    batch = torch.export.Dim("batch")
    axes = [{0: batch, 1: torch.export.Dim("sequence")}] * len(names)
    if asks_for_side(student):
        tensors[IS_QUERY] = torch.zeros(len(tensors["input_ids"]), 1, dtype=torch.int64)
        names, axes = [*names, IS_QUERY], [*axes, {0: batch}]
    network = export_graph(
        _Stages(stages, names),
        tuple(tensors[name] for name in names),
        names,
        (tuple(axes),),  # once more in a tuple: they are one argument, *tensors
        OUTPUT,
        opset=opset,
    )
    return narrow_masks(network)


def asks_for_side(student: SentenceTransformer) -> bool:
    """Say whether a student's graph needs an input that marks queries, as no prompt does."""
    return any(isinstance(module, Lift) for module in student)


def usage_with_side(usage: str) -> str:
    """Return a card's snippet for a graph with an input that marks queries."""
    if IS_QUERY in usage:
        return usage
    told = f'feed["{IS_QUERY}"] = np.zeros((len(texts), 1), np.int64)  # of queries: np.ones'
    for name, inputs in (("i.name", "session.get_inputs()"), ("i.any_name", "model.inputs")):
        usage = usage.replace(f"for i in {inputs}}}", f"for i in {inputs} if {name} in known}}")
    return usage.replace("\nrows = ", f"\n{told}\nrows = ")


def _apart_on_cpu(student: SentenceTransformer) -> SentenceTransformer:
    """Return a student to change: its modules are copies, for they are the teacher's too; its weights are shared."""
    shared: dict[int, Any] = {id(one): one.detach().cpu() for one in student.buffers()}
    shared |= {id(one): nn.Parameter(one.detach().cpu(), requires_grad=False) for one in student.parameters()}
    return copy.deepcopy(student, shared).cpu()


def export_graph(
    module: nn.Module,
    example: tuple[torch.Tensor, ...],
    inputs: list[str],
    dynamic: Any,
    output: str,
    *,
    opset: int = OPSET,
) -> Network:
    """Return `module` as a graph with named inputs and one output.

    Raises
    ------
    ModuleNotFoundError
        If ONNX is not installed.
    UserError
        If torch cannot export the module.
    """
    try:
        import onnxscript  # noqa: F401  # torch's exporter needs it
    except ImportError as error:
        raise ModuleNotFoundError("export=onnx... needs ONNX: pip install projhead[onnx]") from error
    with quiet(*_TALKERS, ignore=_CHATTER), torch.inference_mode(False), torch.no_grad(), _one_line(module):
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
    network = _network(program.model)
    for node in network.model.graph.node:  # torch leaves the exporting machine's file names in them
        del node.metadata_props[:]
        node.doc_string = ""
    return network


@contextmanager
def _one_line(module: nn.Module) -> Iterator[None]:
    """Say in one line what torch cannot export; it says why in pages, and prints some."""
    try:
        with redirect_stderr(StringIO()):
            yield
    except Exception as error:  # of many kinds, by the step that failed
        cause: BaseException = error
        while cause.__cause__ is not None:
            cause = cause.__cause__
        lines = str(cause).strip().splitlines()
        networks = [one for one in module.modules() if type(one).__module__.startswith("transformers.")]
        name = type(networks[0] if networks else module).__name__
        raise UserError(
            f"{name} cannot be exported as a graph: torch.onnx stops with {type(cause).__name__}: "
            f"{lines[0] if lines else 'no reason'}; export=sentence_transformers keeps any network"
        ) from error


def _network(model: Any) -> Network:
    """Take the weights out of what torch's exporter made, an onnx_ir.Model, before there is a message of them."""
    from onnxscript import ir

    weights = {}
    for name, value in model.graph.initializers.items():
        tensor = value.const_value
        if tensor.nbytes >= SMALL:
            weights[name] = tensor.numpy()
            value.const_value = ir.ExternalTensor(
                "weights", 0, tensor.nbytes, tensor.dtype, shape=tensor.shape, name=name
            )
    return Network.of(ir.to_proto(model), weights)


def serve_pooling_tools(network: Network) -> Network:
    """Return `network` with a second output: its row at every token, (b, t, k).

    Many tools read ``last_hidden_state`` and pool it by themselves, some without a look at any other output. Pooling a
    row that stands at every token gives that row back, by the mean, the first, the last or the largest.
    """
    from onnx import TensorProto, helper

    network = network.copy()
    graph = network.model.graph
    axis = helper.make_tensor("row_axis", TensorProto.INT64, [1], [1])
    (output,) = graph.output
    width = helper.make_tensor("row_width", TensorProto.INT64, [1], [output.type.tensor_type.shape.dim[1].dim_value])
    graph.initializer.extend([axis, width])
    graph.node.extend(
        [
            helper.make_node("Unsqueeze", [OUTPUT, "row_axis"], ["row_per_text"]),  # (b, 1, k)
            helper.make_node("Shape", ["input_ids"], ["tokens_shape"]),
            helper.make_node("Concat", ["tokens_shape", "row_width"], ["row_shape"], axis=0),
            helper.make_node("Expand", ["row_per_text", "row_shape"], [_POOLED_BY_OTHERS]),
        ]
    )
    shape = ["batch", "sequence", output.type.tensor_type.shape.dim[1].dim_value]
    graph.output.append(helper.make_tensor_value_info(_POOLED_BY_OTHERS, TensorProto.FLOAT, shape))
    return network
