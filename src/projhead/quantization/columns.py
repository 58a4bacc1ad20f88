"""Feed-forward layers in blocks of columns, for runtimes that hold several activations of the largest one's size.

OpenVINO gives activations of free length a few buffers in turns, each of which grows to the largest that it ever held:
the widest layer, for each of a long text's tokens, several times over.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np

from projhead.quantization.network import SMALL, Array, Network, apart, copied, used
from projhead.quantization.regions import ELEMENTWISE, Whole

_ACTIVATIONS = {"Relu", "LeakyRelu", "Elu", "Gelu", "Sigmoid", "Softplus", "HardSwish", "Swish"}


def in_columns(network: Network) -> Network:
    """Return `network` with no activation between two products wider than what the second of them gives.

    A product (b, t, m) @ (m, d) with m > d becomes the sum of products of at most d columns each, and what is between
    it and the products before it is computed for those columns alone. What is not understood stays as it is.
    """
    network = network.copy()
    graph, columns = network.model.graph, _Columns(network)
    nodes: list[Any] = []
    for node in graph.node:
        nodes += columns.summed(node) or [node]
    nodes = used(nodes, [one.name for one in graph.output])
    del graph.node[:]
    graph.node.extend(nodes)
    _forget(network)
    return network


class _Columns:
    """What is computed for some columns alone, in a graph that gets the weights of those."""

    def __init__(self, network: Network) -> None:
        self._network, graph = network, network.model.graph
        self._makers = {output: node for node in graph.node for output in node.output}
        self._constants = network.constants()
        self._nodes: list[Any] = []
        self._done: dict[tuple[str, int, int], str] = {}

    def summed(self, node: Any) -> list[Any]:
        """Return nodes that give the output of a product, none where it stays."""
        weights = self._constants.get(node.input[1]) if node.op_type == "MatMul" else None
        if weights is None or weights.ndim != 2 or weights.shape[0] <= weights.shape[1]:
            return []
        done, self._nodes = dict(self._done), []
        try:
            self._sum(node, weights)
        except Whole:
            self._done = done
            return []
        return self._nodes

    def _sum(self, node: Any, weights: Array) -> None:
        from onnx import helper

        wide, narrow = weights.shape
        borders = np.linspace(0, wide, -(-wide // narrow) + 1).astype(int).tolist()
        parts = []
        for start, end in pairwise(borders):
            part = self._part(node.input[0], start, end, wide)
            rows = self._store(weights[start:end], f"{node.input[1]}_rows_{start}_{end}")
            parts.append(self._add(node, [part, rows], start, end))
            if len(parts) > 1:  # at once: a part that waits takes memory
                last = end == wide
                total = node.output[0] if last else f"{node.output[0]}_to_{end}"
                self._nodes.append(helper.make_node("Add", parts, [total], name=f"{total}_Add"))
                parts = [total]

    def _part(self, name: str, start: int, end: int, wide: int) -> str:
        """Return the name of columns `start` to `end` of a tensor of `wide` columns."""
        if (name, start, end) not in self._done:
            self._done[name, start, end] = self._columns(name, start, end, wide)
        return self._done[name, start, end]

    def _columns(self, name: str, start: int, end: int, wide: int) -> str:
        value, node = self._constants.get(name), self._makers.get(name)
        if value is not None:
            if value.ndim == 0 or value.shape[-1] == 1:
                return name
            return self._store(value[..., start:end], f"{name}_{start}_{end}")
        if node is None:
            raise Whole
        if node.op_type in ELEMENTWISE | _ACTIVATIONS:
            return self._add(node, [self._part(one, start, end, wide) for one in node.input], start, end)
        if (
            node.op_type == "MatMul"
            and (weights := self._constants.get(node.input[1])) is not None
            and weights.ndim == 2
        ):
            columns = self._store(weights[:, start:end], f"{node.input[1]}_{start}_{end}")
            return self._add(node, [node.input[0], columns], start, end)
        if node.op_type == "Split" and self._halves(node):
            before = list(node.output).index(name) * wide
            return self._part(node.input[0], before + start, before + end, len(node.output) * wide)
        raise Whole

    def _halves(self, node: Any) -> bool:
        """Say whether a node cuts the columns into equal parts."""
        said = {one.name: one.i for one in node.attribute}
        rank = len(self._network.shapes.get(node.input[0], ()))
        return "num_outputs" in said and said.get("axis", 0) in {-1, rank - 1}

    def _store(self, value: Array, name: str) -> str:
        from onnx import numpy_helper

        if name not in self._constants:
            value = np.ascontiguousarray(value)
            self._constants[name] = value
            if value.nbytes >= SMALL:
                self._network.weights[name] = value
                tensor = apart(name, value)
            else:
                tensor = numpy_helper.from_array(value, name)
            self._network.model.graph.initializer.append(tensor)
        return name

    def _add(self, node: Any, inputs: list[str], start: int, end: int) -> str:
        output = f"{node.output[0]}_{start}_{end}"
        self._nodes.append(copied(node, inputs, output))
        return output


def _forget(network: Network) -> None:
    """Leave out constants that nothing reads."""
    graph = network.model.graph
    read = {name for node in graph.node for name in node.input}
    read |= {name for node in graph.node for one in node.attribute for inner in one.g.node for name in inner.input}
    kept = [one for one in graph.initializer if one.name in read]
    del graph.initializer[:]
    graph.initializer.extend(kept)
    network.weights = {name: value for name, value in network.weights.items() if name in read}
