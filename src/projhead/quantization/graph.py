"""Rewrite an ONNX graph node by node, with its constants in fewer bits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from projhead.quantization.network import Array, Network, apart

#: Constants with fewer entries stay float32: there is nothing to win.
_SMALL = 1024
#: Entries of a constant that are computed with at once: bounds memory.
_PART = 1 << 24


class GraphWriter:
    """Nodes and constants of a graph to come, beside those of the graph that was.

    Parameters
    ----------
    network : Network
        In float32; `finish` changes it.

    Attributes
    ----------
    old : list of onnx.NodeProto
        The nodes that were.
    nodes : list of onnx.NodeProto
        The nodes to be.
    constants : dict of str to ndarray
        Of both.
    """

    def __init__(self, network: Network) -> None:
        from onnx import numpy_helper

        self._network, graph = network, network.model.graph
        self.old = list(graph.node)
        self.nodes: list[Any] = []
        self.constants: dict[str, Array] = {
            one.name: network.weights[one.name] if one.name in network.weights else numpy_helper.to_array(one)
            for one in graph.initializer
        }

    def is_matrix(self, name: str) -> bool:
        """Say whether `name` is a matrix of constants worth storing in fewer bits."""
        constant = self.constants.get(name)
        return constant is not None and constant.ndim == 2 and constant.size >= _SMALL

    def constant(self, name: str, value: Any) -> str:
        """Add a constant and return its name."""
        self.constants[name] = np.asarray(value)
        return name

    def node(self, operator: str, inputs: list[str], output: str, **attributes: Any) -> str:
        """Add a node and return the name of its output."""
        from onnx import helper

        self.nodes.append(helper.make_node(operator, inputs, [output], name=f"{output}_{operator}", **attributes))
        return output

    def keep(self, node: Any) -> None:
        """Take a node over; a table of token vectors in int8, each row with its own scale."""
        from onnx import TensorProto

        if node.op_type != "Gather" or not self.is_matrix(node.input[0]):
            self.nodes.append(node)
            return
        (name, ids), (output,) = node.input, node.output
        weight = self.constants[name]
        scale = int8_scale(np.maximum(weight.max(1, keepdims=True), -weight.min(1, keepdims=True)))
        rounded = by_rows(lambda rows, scale: np.rint(rows / scale), np.int8, weight, scale)
        table = self.constant(f"{name}_int8", rounded)
        codes = self.node("Gather", [table, ids], f"{output}_codes", axis=0)
        rows = self.node("Cast", [codes], f"{output}_float", to=TensorProto.FLOAT)
        scales = self.node("Gather", [self.constant(f"{name}_scale", scale), ids], f"{output}_scale", axis=0)
        self.node("Mul", [rows, scales], output)

    def finish(self) -> None:
        """Put the new nodes into the network, and the constants they use; large float32 ones are stored in float16.

        What is changed afterwards is in the network when it is called again.
        """
        from onnx import TensorProto, helper, numpy_helper

        used = {name for node in self.nodes for name in node.input}
        graph, weights = self._network.model.graph, self._network.weights
        del graph.initializer[:], graph.node[:], graph.value_info[:]
        weights.clear()
        for name, value in self.constants.items():
            if name not in used:
                continue
            large = value.size >= _SMALL
            if large and value.dtype == np.float32 and max(value.max(), -value.min()) < np.finfo(np.float16).max:
                half = f"{name}_float16"  # a float again once, when the model is loaded
                graph.node.append(helper.make_node("Cast", [half], [name], name=f"{name}_Cast", to=TensorProto.FLOAT))
                name, value = half, value.astype(np.float16)
            if large:
                weights[name] = value
            graph.initializer.append(apart(name, value) if large else numpy_helper.from_array(value, name))
        graph.node.extend(self.nodes)


def by_rows(compute: Callable[..., Array], dtype: Any, *values: Array) -> Array:
    """Return ``compute(*values)`` as `dtype`, some rows at a time, so that no more of it is ever held in float32."""
    out = np.empty(values[0].shape, dtype)
    step = max(_PART * len(out) // max(out.size, 1), 1)
    for start in range(0, len(out), step):
        out[start : start + step] = compute(*(value[start : start + step] for value in values))
    return out


def int8_scale(largest: Array) -> Array:
    """Return the scale at which `largest` is 127; 1 where there is nothing to scale."""
    return np.where(largest > 0, largest / 127, 1).astype(np.float32)


def column_scale(weight: Array) -> Array:
    """Return the scale of each column of a weight (d, k).

    Processors without VNNI add two products of a code (to 255) and a weight in 16 bits, which must not overflow: two
    neighbors of one sign stay within 127 together.
    """
    even = np.concatenate([weight, np.zeros((len(weight) % 2, weight.shape[1]), weight.dtype)])
    pairs = [(side[0::2] + side[1::2]).max(0) for side in (even.clip(min=0), (-even).clip(min=0))]
    return int8_scale(np.maximum(*pairs))
