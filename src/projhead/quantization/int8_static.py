"""int8 matrix products with scales known from calibration texts.

Every channel of an activation has a range of its own, as in Xiao et al., "SmoothQuant" (2023), and is shifted to the
middle of it, as in Wei et al., "Outlier Suppression+" (2023). What is divided out and subtracted goes into the weights
and what is added behind the product, together with the mean error of the rounded weights (Nagel et al., "Data-Free
Quantization", 2019). Only standard ONNX operators are used: QuantizeLinear and DequantizeLinear around each product,
which runtimes replace by int8 products of their own.

References
----------
- https://arxiv.org/abs/2211.10438
- https://arxiv.org/abs/2304.09145
- https://arxiv.org/abs/1906.04721
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np

from projhead.quantization.calibration import activations, each_product, products_of
from projhead.quantization.graph import GraphWriter, column_scale
from projhead.quantization.network import Array, Network
from projhead.quantization.refit import absorb, first_layer

#: How far the difficulty of channels is moved from activations to weights: 0 not at all, 1 wholly.
_SMOOTHING = 0.9
#: The narrowest range of a channel, over the median one. Channels that calibration texts hardly used are used by other
#: texts, and a value that is cut off costs far more than coarser steps do.
_NARROWEST = 1.5
#: Tokens whose extremes make a range. The extremes of all tokens grow with their number, and with them the steps.
_BLOCK = 5000


class _Ranges:
    """What calibration saw of one activation, by channel: extremes (blocks, d), and sums (d,)."""

    def __init__(self, blocks: int, width: int) -> None:
        self._least, self._most = np.full((blocks, width), np.inf), np.full((blocks, width), -np.inf)
        self.total, self.tokens = np.zeros(width), 0

    def add(self, values: Array, block: int) -> None:
        """Take in values (b, t, d)."""
        values = values.reshape(-1, values.shape[-1])
        self._least[block] = np.minimum(self._least[block], values.min(0))
        self._most[block] = np.maximum(self._most[block], values.max(0))
        self.total, self.tokens = self.total + values.sum(0, dtype=np.float64), self.tokens + len(values)

    def widened(self) -> tuple[Array, Array]:
        """Return both ends (d,) of every channel's range, means over the blocks; narrow ones are made wider."""
        least, most = self._least.mean(0), self._most.mean(0)
        narrow = most - least < _NARROWEST * np.median(most - least)
        outer_least, outer_most = (_NARROWEST * np.median(end) for end in (least, most))
        return (
            np.where(narrow, np.minimum(least, outer_least), least).astype(np.float32),
            np.where(narrow, np.maximum(most, outer_most), most).astype(np.float32),
        )


class _Codes(NamedTuple):
    """An activation in uint8: the name of what its codes stand for, ``(x - center) / step``, and its mean; all (d,)."""

    name: str
    center: Array
    step: Array
    mean: Array


def quantize_static(network: Network, batches: Iterable[dict[str, Array]]) -> Network:
    """Return what `projhead.quantization.int8.quantize` does, with scales that calibration fixes.

    It takes the same and raises the same. The head is fitted again to what it gets then (see
    `projhead.quantization.refit`).
    """
    network, given = network.copy(), network
    graph = GraphWriter(network)
    products = products_of(graph)
    texts, head = list(batches), first_layer(graph)
    tokens = sum(next(iter(text.values())).shape[1] for text in texts)
    blocks = max(min(round(tokens / _BLOCK), len(texts)), 1)
    ranges = {name: _Ranges(blocks, len(graph.constants[nodes[0].input[1]])) for name, nodes in products.items()}
    entrance = [head.input[0]] if head else []
    exact = []
    for number, seen in enumerate(activations(given, [*products, *entrance], texts)):
        exact += [seen.pop(name) for name in entrance]
        for name, values in seen.items():
            ranges[name].add(values, number % blocks)  # texts come sorted by length: each block has them all
    biases = {node.input[0]: node for node in graph.old if node.op_type == "Add" and node.input[1] in graph.constants}
    codes: dict[str, _Codes] = {}
    for node, source in each_product(graph, products):
        if source not in codes:
            weights = [graph.constants[one.input[1]] for one in products[source]]
            codes[source] = _codes(graph, source, ranges[source], weights)
        _product(graph, codes[source], graph.constants[node.input[1]], node.output[0], biases.get(node.output[0]))
    if head:
        found = [seen[head.input[0]] for seen in activations(network, entrance, texts)]
        absorb(graph, head, np.concatenate(exact), np.concatenate(found))
        graph.finish()
    return network


def _codes(graph: GraphWriter, source: str, ranges: _Ranges, weights: list[Array]) -> _Codes:
    """Write the codes of an activation, and what they stand for."""
    least, most = ranges.widened()
    largest = np.max([np.abs(weight).max(1) for weight in weights], axis=0).clip(1e-5)
    center, reach = (most + least) / 2, ((most - least) / 2).clip(1e-5)
    step = reach**_SMOOTHING / largest ** (1 - _SMOOTHING)
    step = (step * (reach / step).max() / 127.5).astype(np.float32)
    shifted = graph.node("Sub", [source, graph.constant(f"{source}_center", center)], f"{source}_centered")
    steps = graph.node("Mul", [shifted, graph.constant(f"{source}_per_step", 1 / step)], f"{source}_steps")
    rule = [graph.constant("one", np.float32(1)), graph.constant("zero_128", np.uint8(128))]
    codes = graph.node("QuantizeLinear", [steps, *rule], f"{source}_codes")
    name = graph.node("DequantizeLinear", [codes, *rule], f"{source}_rounded")
    return _Codes(name, center, step, ranges.total / ranges.tokens)


def _product(graph: GraphWriter, codes: _Codes, weight: Array, output: str, bias: Any) -> None:
    """Write the product (b, t, k) of an activation's codes and a weight (d, k); `bias` is the node that adds to it."""
    scaled = weight * codes.step[:, None]
    scale = column_scale(scaled)
    rounded = np.rint(scaled / scale).astype(np.int8)
    constants = {"int8": rounded, "scale": scale, "zero": np.zeros(len(scale), np.int8)}
    names = [graph.constant(f"{output}_{name}", value) for name, value in constants.items()]
    matrix = graph.node("DequantizeLinear", names, f"{output}_weight", axis=1)
    mean = (codes.mean - codes.center) / codes.step
    lacking = (codes.mean @ weight - mean @ (rounded * scale)).astype(np.float32)
    if bias is None:
        product = graph.node("MatMul", [codes.name, matrix], f"{output}_product")
        graph.node("Add", [product, graph.constant(f"{output}_lacking", lacking)], output)
    else:
        graph.node("MatMul", [codes.name, matrix], output)
        bias.input[1] = graph.constant(f"{output}_bias", graph.constants[bias.input[1]] + lacking)
