"""Find the nodes that attention in blocks computes for some queries alone."""

from __future__ import annotations

from typing import Any

import numpy as np

from projhead.quantization.network import Network, copied

#: Operators of which each entry of the output depends on the entries at its place.
ELEMENTWISE = {
    *("Add", "Sub", "Mul", "Div", "Mod", "Pow", "Neg", "Abs", "Sign", "Sqrt", "Exp", "Log", "Ceil", "Floor", "Erf"),
    *("Tanh", "Min", "Max", "Clip", "Equal", "Less", "LessOrEqual", "Greater", "GreaterOrEqual", "And", "Or", "Xor"),
    *("Not", "IsNaN", "Where", "Cast", "Identity"),
}
Shape = tuple[int | str, ...]


class Whole(Exception):
    """Something cannot be computed for some queries alone: it stays as it is."""


class Region:
    """A graph whose tensors with an axis of queries and one of keys, both t long, are taken some queries at a time.

    Parameters
    ----------
    network : Network
        It gets the few constants that are needed.
    """

    query_axis = "blocks_query_axis"

    def __init__(self, network: Network) -> None:
        from onnx import numpy_helper

        self._network, graph = network, network.model.graph
        self._makers = {output: node for node in graph.node for output in node.output}
        self._small = {
            one.name: numpy_helper.to_array(one) for one in graph.initializer if one.name not in network.weights
        }
        self._tokens = (network.shapes.get("input_ids") or (0, 0))[1]
        self._inferred: dict[str, Shape | None] = {}
        self._nodes: list[Any] = []
        self._done: dict[tuple[str, int], str] = {}
        self._rows = ""

    def shape(self, name: str) -> Shape:
        """Return a tensor's shape; raise `Whole` where it is not known.

        Raises
        ------
        Whole
            If the shape is not known.
        """
        if name not in self._inferred:
            self._inferred[name] = self._shape(name)
        if (found := self._inferred[name]) is None:
            raise Whole
        return found

    def is_square(self, name: str) -> bool:
        """Say whether a tensor has an axis of queries and one of keys; no where its shape is not known."""
        try:
            return isinstance(self._tokens, str) and self.shape(name).count(self._tokens) > 1
        except Whole:
            return False

    def heads(self, name: str) -> int:
        """Return how many matrices of scores (t, t) a text has.

        Raises
        ------
        Whole
            If the heads cannot be told.
        """
        batch = self._network.shapes["input_ids"][0]
        counts = [axis for axis in self.shape(name)[:-2] if axis != batch]
        if any(isinstance(axis, str) for axis in counts) or self.shape(name)[-2:] != (self._tokens, self._tokens):
            raise Whole
        return int(np.prod([axis for axis in counts if isinstance(axis, int)]))

    def flat(self, name: str) -> str:
        """Return the name of the constant that reshapes blocks (..., n, c, e) to the form (..., n c, e) of a tensor."""
        *leading, _, width = self.shape(name)
        if not isinstance(width, int):
            raise Whole
        self._constant(self.query_axis, [len(leading)])
        return self._constant(f"blocks_flat_{len(leading)}_{width}", [*[0] * len(leading), -1, width])

    def restricted(self, node: Any, rows: str) -> list[Any]:
        """Return nodes that give the output of a product for the queries whose numbers are in `rows`; it comes last."""
        self._nodes, self._done, self._rows = [], {}, rows
        self._again(node, -2)
        return self._nodes

    def _constant(self, name: str, value: list[int]) -> str:
        from onnx import numpy_helper

        if name not in self._small:
            self._small[name] = np.array(value, np.int64)
            self._network.model.graph.initializer.append(numpy_helper.from_array(self._small[name], name))
        return name

    def _shape(self, name: str) -> Shape | None:
        for known in (self._small, self._network.weights):
            if name in known:
                return known[name].shape
        told = self._network.shapes.get(name)
        if told is not None and all(told):
            return told
        node = self._makers.get(name)
        if node is None or node.op_type not in ELEMENTWISE | {"Gather"}:
            return None
        try:
            shapes = [self.shape(one) for one in node.input if one]
        except Whole:
            return None
        if node.op_type == "Gather":
            axis = next((one.i for one in node.attribute), 0) % len(shapes[0])
            return (*shapes[0][:axis], *shapes[1], *shapes[0][axis + 1 :])
        longest = max(map(len, shapes))
        columns = zip(*((*[1] * (longest - len(one)), *one) for one in shapes), strict=True)
        return tuple(next((axis for axis in axes if axis != 1), 1) for axes in columns)

    def _part(self, name: str, axis: int, *, broadcasts: bool = False) -> str:
        """Return the name of a tensor of which `axis`, counted from the end, has a block's queries only.

        `broadcasts` says whether what reads it repeats it along axes of length one.
        """
        if not name or len(shape := self.shape(name)) < -axis or shape[axis] == 1:
            return name
        if shape[axis] != self._tokens:
            raise Whole
        if (name, axis) not in self._done:
            if shape.count(self._tokens) == 1:
                found = self._add("Gather", [name, self._rows], name, axis=len(shape) + axis)
            elif name in self._makers:
                found = self._again(self._makers[name], axis, broadcasts=broadcasts)
            else:
                raise Whole
            self._done[name, axis] = found
        return self._done[name, axis]

    def _again(self, node: Any, axis: int, *, broadcasts: bool = False) -> str:
        """Compute a node for a block's queries."""
        inputs, rank = list(node.input), len(self.shape(node.output[0]))
        said = {one.name: one for one in node.attribute}
        place = rank + axis
        if node.op_type in ELEMENTWISE:
            return self._copy(node, [self._part(one, axis, broadcasts=True) for one in inputs])
        if node.op_type == "Softmax" and axis != -1 and said["axis"].i in (-1, rank - 1):
            return self._copy(node, [self._part(inputs[0], axis)])
        if node.op_type == "MatMul" and axis == -2 and not self.is_square(inputs[1]):
            return self._copy(node, [self._part(inputs[0], axis), inputs[1]])
        if node.op_type == "Transpose":
            return self._copy(node, [self._part(inputs[0], said["perm"].ints[place] - rank)])
        if node.op_type == "Gather" and (said["axis"].i if said else 0) == 0:
            return self._copy(node, [inputs[0], self._part(inputs[1], axis + len(self.shape(inputs[0])) - 1)])
        if node.op_type == "Expand" and (broadcasts or self._only_texts(inputs[0], node.output[0])):
            return self._part(inputs[0], axis, broadcasts=broadcasts)
        if node.op_type in ("Unsqueeze", "Reshape") and (added := self._added(node)) != place:
            # Behind the new axis, places from the end are what they were; before it they are one less.
            part = self._part(inputs[0], axis if added < place else axis + 1)
            axes = self._constant(f"blocks_axis_{added}", [added])
            return self._add("Unsqueeze", [part, axes], node.output[0])
        raise Whole

    def _only_texts(self, name: str, expanded: str) -> bool:
        """Say whether only the first of several axes is repeated: texts, which products and sums repeat as well."""
        before, after = self.shape(name), self.shape(expanded)
        return len(before) == len(after) and before[1:] == after[1:]

    def _added(self, node: Any) -> int:
        """Return the place of the one axis of length one that a node adds."""
        before, after = self.shape(node.input[0]), self.shape(node.output[0])
        for place, length in enumerate(after):
            if length == 1 and (*after[:place], *after[place + 1 :]) == before:
                return place
        raise Whole

    def _copy(self, node: Any, inputs: list[str]) -> str:
        output = f"{node.output[0]}_of_{self._rows}_{len(self._nodes)}"
        self._nodes.append(copied(node, inputs, output))
        return output

    def _add(self, operator: str, inputs: list[str], of: str, **attributes: Any) -> str:
        from onnx import helper

        output = f"{of}_of_{self._rows}_{len(self._nodes)}"
        self._nodes.append(helper.make_node(operator, inputs, [output], name=f"{output}_{operator}", **attributes))
        return output
