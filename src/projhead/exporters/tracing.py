"""Modules of a student as one ONNX graph."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import StaticEmbedding
from torch import nn

from projhead.encoders.graph import OUTPUT
from projhead.exporters.table import TokenMean, token_example
from projhead.quiet import quiet

#: What the output of a network alone is called.
NETWORK_OUTPUT = "last_hidden_state"
OPSET = 20
_INPUTS = ("input_ids", "attention_mask", "token_type_ids")
# What torch's exporter says of every model and a user cannot act on.
_CHATTER = ("# The axis name", "`isinstance\\(treespec, LeafSpec\\)` is deprecated")


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


def whole_graph(student: SentenceTransformer, opset: int = OPSET, *, network_only: bool = False) -> Any:
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
    opset: int = OPSET,
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
    with quiet("torch.onnx", ignore=_CHATTER), torch.inference_mode(False), torch.no_grad():
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
