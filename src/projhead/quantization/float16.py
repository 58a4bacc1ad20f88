"""The network in float16: half the size, and the speed of a GPU's tensor cores.

What decides only positions and masks, and what follows the network (pooling sums over many tokens, the head, unit
length), is computed in float32: float16 counts no further than 2,048 without gaps.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from projhead.quantization.graph import GraphWriter, by_rows
from projhead.quantization.network import Network

_MOST = np.finfo(np.float16).max


def to_float16(network: Network) -> Network:
    """Return `network` with everything between its token tables and its last product in float16.

    Parameters
    ----------
    network : Network
        In float32, as `torch.onnx.export` writes it.

    Returns
    -------
    Network
        Inputs and outputs are as they were.

    Raises
    ------
    ValueError
        If there is no network: no product of activations and weights.
    """
    from onnx import TensorProto, shape_inference

    network = network.copy()
    known_types = shape_inference.infer_shapes(network.model).graph.value_info
    types = {one.name: one.type.tensor_type.elem_type for one in known_types}
    graph = GraphWriter(network)
    products = [position for position, node in enumerate(graph.old) if node.op_type == "MatMul"]
    if not products:
        raise ValueError("expected a graph with products of activations and weights, got none; export it in float32")
    halves: dict[str, str] = {}
    floats: dict[str, str] = {}
    for position, node in enumerate(graph.old):
        known = [name for name in node.input if name in halves and name not in graph.constants]
        if position > products[-1]:
            for name in known:
                if name not in floats:
                    floats[name] = graph.node("Cast", [halves[name]], f"{name}_float32", to=TensorProto.FLOAT)
            _rename(node, floats)
        elif known or (node.op_type == "Gather" and graph.is_matrix(node.input[0])):
            for name in node.input:
                if name not in halves and (half := _half(graph, name, types)):
                    halves[name] = half
            _rename(node, halves)
            if node.op_type != "Cast":  # which gives what it says
                halves |= {name: name for name in node.output if types.get(name) == TensorProto.FLOAT}
        graph.nodes.append(node)
    graph.finish()
    return network


def _half(graph: GraphWriter, name: str, types: dict[str, int]) -> str | None:
    """Write a float32 constant or activation in float16, what is beyond its range at the range's ends."""
    from onnx import TensorProto

    if name in graph.constants:
        value = graph.constants[name]
        if value.dtype != np.float32:
            return None
        half = by_rows(lambda rows: rows.clip(-_MOST, _MOST), np.float16, value.reshape(-1)).reshape(value.shape)
        return graph.constant(f"{name}_float16", half)
    if types.get(name) != TensorProto.FLOAT:
        return None
    ends = [graph.constant(f"float16_{end}", np.float32(value)) for end, value in (("least", -_MOST), ("most", _MOST))]
    return graph.node(
        "Cast", [graph.node("Clip", [name, *ends], f"{name}_clipped")], f"{name}_float16", to=TensorProto.FLOAT16
    )


def _rename(node: Any, names: dict[str, str]) -> None:
    for position, name in enumerate(node.input):
        node.input[position] = names.get(name, name)
