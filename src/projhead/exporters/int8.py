"""An ONNX graph with its matrix products and token tables in int8.

Weights have a scale per output channel, activations one per token, found as the graph runs (as in Yao et al.,
"ZeroQuant", 2022), so that a text's row does not depend on what else is in its batch. Channels in which activations
are large are made smaller, and their weights larger, beforehand (Xiao et al., "SmoothQuant", 2023), by what
activations are on calibration texts. Only standard ONNX operators are used.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

#: How far difficulty is moved from activations to weights: 0 not at all, 1 wholly.
_SMOOTHING = 0.6
#: gelu is never below this.
_GELU_MINIMUM = np.float32(-0.17)
#: Constants with fewer entries stay float32: there is nothing to win.
_SMALL = 4096


def quantise(model: Any, batches: Iterable[dict[str, Array]]) -> Any:
    """Return a float32 model in int8.

    Products of two activations, normalisations and two-dimensional layers (the head) are computed in float32 still;
    what weights those have are stored in float16.

    Parameters
    ----------
    model : onnx.ModelProto
        In float32, as `torch.onnx.export` writes it. It is changed.
    batches : iterable of dict of ndarray
        Inputs of the graph for calibration, without padding.

    Returns
    -------
    onnx.ModelProto

    Raises
    ------
    ValueError
        If the graph holds no matrix product with a constant.
    """
    graph = _Graph(model.graph)
    products = graph.products()
    if not products:
        raise ValueError("expected a graph with matrix products to quantise, got none; export it in float32 instead")
    maxima = _channel_maxima(model, list(products), batches)
    for node in list(model.graph.node):
        source = node.input[0] if node.input else ""
        if node.op_type == "MatMul" and node in products.get(source, ()):
            graph.write_product(node, products[source], maxima[source])
        elif node.op_type == "Gather" and graph.is_large(source, 2):
            graph.write_table(node)
        else:
            graph.nodes.append(node)
    graph.finish()
    return model


def _channel_maxima(model: Any, names: list[str], batches: Iterable[dict[str, Array]]) -> dict[str, Array]:
    """Return the largest magnitude of each channel of the named activations."""
    import onnx
    import onnxruntime

    watched = onnx.ModelProto()
    watched.CopyFrom(model)
    watched.graph.output.extend(
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for name in names
    )
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(watched.SerializeToString(), options, providers=["CPUExecutionProvider"])
    maxima: dict[str, Array] = defaultdict(lambda: np.zeros(1, np.float32))
    for batch in batches:
        for name, values in zip(names, session.run(names, batch), strict=True):
            maxima[name] = np.maximum(maxima[name], np.abs(values).reshape(-1, values.shape[-1]).max(0))
    return maxima


class _Graph:
    """A graph that is written anew, node by node."""

    def __init__(self, graph: Any) -> None:
        from onnx import numpy_helper

        self.graph = graph
        self.constants: dict[str, Array] = {t.name: numpy_helper.to_array(t) for t in graph.initializer}
        self.makers = {output: node.op_type for node in graph.node for output in node.output}
        self.nodes: list[Any] = []
        self.quantised: dict[str, tuple[str, str, str]] = {}

    def is_large(self, name: str, dimensions: int) -> bool:
        constant = self.constants.get(name)
        return constant is not None and constant.ndim == dimensions and constant.size >= _SMALL

    def products(self) -> dict[str, list[Any]]:
        """Return products of an activation with a constant, by activation."""
        found = defaultdict(list)
        for node in self.graph.node:
            if node.op_type == "MatMul" and self.is_large(node.input[1], 2):
                found[node.input[0]].append(node)
        return dict(found)

    def constant(self, name: str, value: Any) -> str:
        self.constants[name] = np.asarray(value)
        return name

    def node(self, operator: str, inputs: list[str], output: str, **attributes: Any) -> str:
        from onnx import helper

        self.nodes.append(helper.make_node(operator, inputs, [output], name=f"{output}_{operator}", **attributes))
        return output

    def write_table(self, node: Any) -> None:
        """Keep a table of token vectors in int8, each row with its own scale."""
        from onnx import TensorProto

        name, output = node.input[0], node.output[0]
        weight = self.constants[name]
        scale = _or_one(np.abs(weight).max(1, keepdims=True) / 127)
        table = self.constant(f"{name}_int8", np.rint(weight / scale).astype(np.int8))
        rows = self.node("Gather", [table, node.input[1]], f"{output}_int8", axis=0)
        scales = self.node("Gather", [self.constant(f"{name}_scale", scale), node.input[1]], f"{output}_scale", axis=0)
        self.node("Mul", [self.node("Cast", [rows], f"{output}_float", to=TensorProto.FLOAT), scales], output)

    def write_product(self, node: Any, group: list[Any], maxima: Array) -> None:
        """Write ``x @ w`` with both in int8; `group` are all the products of this x."""
        from onnx import TensorProto

        source, output = node.input[0], node.output[0]
        gelu = self.makers.get(source) == "Gelu"
        weights = [self.constants[one.input[1]] for one in group]
        smooth = np.ones(len(maxima), np.float32) if gelu else _smoothing(maxima, weights)
        if source not in self.quantised:
            self.quantised[source] = self._gelu_input(source) if gelu else self._input(source, smooth)
        codes, zero, scale = self.quantised[source]
        weight = self.constants[node.input[1]] * smooth[:, None]
        column_scale = _column_scale(weight)
        rounded = np.rint(weight / column_scale).astype(np.int8)
        product = self.node(
            "MatMulInteger", [codes, self.constant(f"{output}_weight", rounded), zero], f"{output}_integer"
        )
        product = self.node("Cast", [product], f"{output}_float", to=TensorProto.FLOAT)
        product = self.node("Mul", [product, self.constant(f"{output}_scale", column_scale)], f"{output}_columns")
        if not gelu:
            self.node("Mul", [product, scale], output)
            return
        product = self.node("Mul", [product, scale], f"{output}_rows")
        shift = _GELU_MINIMUM * (rounded * column_scale).sum(0, dtype=np.float32)
        self.node("Add", [product, self.constant(f"{output}_shift", shift)], output)

    def _input(self, source: str, smooth: Array) -> tuple[str, str, str]:
        """Write the codes of an activation, -127 to 127 with 128 added; return them, the 128 and the row scales."""
        divisor = self.constant(f"{source}_smooth", (1 / smooth).astype(np.float32))
        smoothed = self.node("Mul", [source, divisor], f"{source}_smoothed")
        largest = self._row_maximum(self.node("Abs", [smoothed], f"{source}_magnitude"), source)
        return self._codes(smoothed, largest, source, 127, 128)

    def _gelu_input(self, source: str) -> tuple[str, str, str]:
        """Write the codes of what gelu gives: from its minimum up, all 256 of them."""
        least = self.constant("gelu_least", -_GELU_MINIMUM)
        shifted = self.node("Add", [source, least], f"{source}_shifted")
        return self._codes(shifted, self._row_maximum(shifted, source), source, 255, 0)

    def _row_maximum(self, values: str, source: str) -> str:
        axes = self.constant("last_axis", np.array([-1], np.int64))
        largest = self.node("ReduceMax", [values, axes], f"{source}_maximum", keepdims=1)
        return self.node("Max", [largest, self.constant("tiny", np.float32(1e-12))], f"{source}_largest")

    def _codes(self, values: str, largest: str, source: str, levels: int, zero: int) -> tuple[str, str, str]:
        count = self.constant(f"levels_{levels}", np.float32(levels))
        steps = self.node("Div", [count, largest], f"{source}_steps")
        scale = self.node("Div", [largest, count], f"{source}_scale")
        scaled = self.node("Mul", [values, steps], f"{source}_scaled")
        zero_point = self.constant(f"zero_{zero}", np.uint8(zero))
        one = self.constant("one", np.float32(1))
        return self.node("QuantizeLinear", [scaled, one, zero_point], f"{source}_codes"), zero_point, scale

    def finish(self) -> None:
        """Put the new nodes and constants into the graph; what large constants are left, as float16."""
        from onnx import TensorProto, numpy_helper

        used = {name for node in self.nodes for name in node.input}
        casts = []
        del self.graph.initializer[:], self.graph.node[:], self.graph.value_info[:]
        for name, value in self.constants.items():
            if name not in used:
                continue
            stored = name
            if value.dtype == np.float32 and value.size >= _SMALL and np.abs(value).max() < np.finfo(np.float16).max:
                stored, value = f"{name}_float16", value.astype(np.float16)
                self.nodes, body = [], self.nodes
                self.node("Cast", [stored], name, to=TensorProto.FLOAT)
                casts += self.nodes
                self.nodes = body
            self.graph.initializer.append(numpy_helper.from_array(value, stored))
        self.graph.node.extend([*casts, *self.nodes])


def _or_one(scale: Array) -> Array:
    return np.where(scale > 0, scale, 1).astype(np.float32)


def _smoothing(maxima: Array, weights: list[Array]) -> Array:
    """Return by how much each channel of an activation is divided, and its weights are multiplied."""
    largest = np.max([np.abs(weight).max(1) for weight in weights], axis=0)
    smooth: Array = (maxima.clip(1e-5) ** _SMOOTHING / largest.clip(1e-5) ** (1 - _SMOOTHING)).astype(np.float32)
    return smooth


def _column_scale(weight: Array) -> Array:
    """Return the scale of each column of weights (d, k).

    Processors without VNNI add two products of an activation code (to 255) and a weight in 16 bits, which must not
    overflow: neighbours of one sign together stay within 127 too.
    """
    even = np.concatenate([weight, np.zeros((len(weight) % 2, weight.shape[1]), weight.dtype)])
    pairs = [side[0::2] + side[1::2] for side in (even.clip(min=0), (-even).clip(min=0))]
    return _or_one(np.maximum(pairs[0].max(0), pairs[1].max(0)) / 127)
