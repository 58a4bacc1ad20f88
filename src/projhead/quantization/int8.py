"""int8 matrix products: weights with a scale per output channel, activations with one per token.

Activations' scales are found as the graph runs (as in Yao et al., "ZeroQuant", 2022), and by token, so that a text's
row does not depend on what else is in its batch. Channels in which activations are large are made smaller beforehand,
and their weights larger (Xiao et al., "SmoothQuant", 2023), by what activations are on calibration texts. Only standard
ONNX operators are used.

References
----------
- https://arxiv.org/abs/2206.01861
- https://arxiv.org/abs/2211.10438
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from projhead.quantization.calibration import activations, each_product, products_of
from projhead.quantization.graph import GraphWriter, column_scale
from projhead.quantization.network import Array, Network

#: How far difficulty is moved from activations to weights: 0 not at all, 1 wholly.
_SMOOTHING = 0.6
#: gelu is never below this.
_GELU_LEAST = np.float32(-0.17)


class _Codes(NamedTuple):
    """An activation in uint8: names of its codes, of the code of zero, and of the scale of each token.

    `smooth` (d,) is what its channels were divided by; what codes stand for is `shift` too low.
    """

    codes: str
    zero: str
    scale: str
    smooth: Array
    shift: np.float32


def quantize(network: Network, batches: Iterable[dict[str, Array]]) -> Network:
    """Return `network` with its products of activations and weights in int8.

    Token tables are in int8 by rows; two-dimensional layers (the head) are computed in float32 from float16 weights.

    Parameters
    ----------
    network : Network
        In float32, as `torch.onnx.export` writes it.
    batches : iterable of dict of ndarray
        Inputs of the graph for calibration, without padding.

    Returns
    -------
    Network

    Raises
    ------
    ValueError
        If there is nothing to quantize, or nothing to calibrate on.
    """
    network, given = network.copy(), network
    graph = GraphWriter(network)
    makers = {output: node.op_type for node in graph.old for output in node.output}
    products = products_of(graph)
    maxima = _channel_maxima(activations(given, list(products), batches))
    codes: dict[str, _Codes] = {}
    for node, source in each_product(graph, products):
        if source not in codes:
            weights = [graph.constants[one.input[1]] for one in products[source]]
            is_gelu = makers.get(source) == "Gelu"
            codes[source] = _gelu_codes(graph, source) if is_gelu else _codes(graph, source, maxima[source], weights)
        _product(graph, codes[source], graph.constants[node.input[1]], node.output[0])
    return network


def _channel_maxima(seen: Iterable[dict[str, Array]]) -> dict[str, Array]:
    """Return the largest magnitude (d,) in each channel of activations."""
    maxima: dict[str, Array] = {}
    for batch in seen:
        for name, values in batch.items():
            largest = np.abs(values).reshape(-1, values.shape[-1]).max(0)
            maxima[name] = np.maximum(maxima.get(name, 0), largest)
    return maxima


def _codes(graph: GraphWriter, source: str, maxima: Array, weights: list[Array]) -> _Codes:
    """Write the codes of an activation: -127 to 127, with 128 added."""
    largest = np.max([np.abs(weight).max(1) for weight in weights], axis=0)
    smooth = maxima.clip(1e-5) ** _SMOOTHING / largest.clip(1e-5) ** (1 - _SMOOTHING)
    divisor = graph.constant(f"{source}_smooth", (1 / smooth).astype(np.float32))
    smoothed = graph.node("Mul", [source, divisor], f"{source}_smoothed")
    magnitude = graph.node("Abs", [smoothed], f"{source}_magnitude")
    return _Codes(*_rounded(graph, source, smoothed, magnitude, 127, 128), smooth, np.float32(0))


def _gelu_codes(graph: GraphWriter, source: str) -> _Codes:
    """Write the codes of what gelu gives: all 256 of them, from its minimum up."""
    least = graph.constant("gelu_least", -_GELU_LEAST)
    shifted = graph.node("Add", [source, least], f"{source}_shifted")
    return _Codes(*_rounded(graph, source, shifted, shifted, 255, 0), np.ones(1, np.float32), _GELU_LEAST)


def _rounded(graph: GraphWriter, source: str, values: str, magnitude: str, top: int, zero: int) -> tuple[str, str, str]:
    """Write ``round(values / scale) + zero``, with the scale at which each token's largest magnitude is `top`."""
    axis = graph.constant("last_axis", np.array([-1], np.int64))
    largest = graph.node("ReduceMax", [magnitude, axis], f"{source}_maximum", keepdims=1)
    largest = graph.node("Max", [largest, graph.constant("tiny", np.float32(1e-12))], f"{source}_largest")
    count = graph.constant(f"top_{top}", np.float32(top))
    steps = graph.node("Mul", [values, graph.node("Div", [count, largest], f"{source}_per_unit")], f"{source}_steps")
    zero_point = graph.constant(f"zero_{zero}", np.uint8(zero))
    codes = graph.node(
        "QuantizeLinear", [steps, graph.constant("one", np.float32(1)), zero_point], f"{source}_quantized"
    )
    return codes, zero_point, graph.node("Div", [largest, count], f"{source}_token_scale")


def _product(graph: GraphWriter, codes: _Codes, weight: Array, output: str) -> None:
    """Write the product (b, t, k) of an activation's codes (b, t, d) and a weight (d, k)."""
    from onnx import TensorProto

    weight = weight * codes.smooth[:, None]
    scale = column_scale(weight)
    rounded = np.rint(weight / scale).astype(np.int8)
    sums = graph.node(
        "MatMulInteger", [codes.codes, graph.constant(f"{output}_weight", rounded), codes.zero], f"{output}_sums"
    )
    floats = graph.node("Cast", [sums], f"{output}_float", to=TensorProto.FLOAT)
    scaled = graph.node("Mul", [floats, graph.constant(f"{output}_scale", scale)], f"{output}_scaled")
    if not codes.shift:
        graph.node("Mul", [scaled, codes.scale], output)
        return
    shift = codes.shift * (rounded * scale).sum(0, dtype=np.float32)
    product = graph.node("Mul", [scaled, codes.scale], f"{output}_unshifted")
    graph.node("Add", [product, graph.constant(f"{output}_shift", shift)], output)
