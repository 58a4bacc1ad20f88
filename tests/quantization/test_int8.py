from __future__ import annotations

import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from projhead.quantization.graph import GraphWriter, column_scale
from projhead.quantization.int8 import quantize
from projhead.quantization.network import Array, Network

D, H, K = 64, 96, 70


def model(generator: np.random.Generator) -> Network:
    """Token ids to a table's rows, a product, gelu, a product."""
    constants = {
        "table": generator.normal(size=(100, D)) * np.geomspace(0.1, 3, D),  # some channels are large
        "first": generator.normal(size=(D, H)) / 8,
        "second": generator.normal(size=(H, K)) / 8,
    }
    graph = helper.make_graph(
        [
            helper.make_node("Gather", ["table", "ids"], ["x"]),
            helper.make_node("MatMul", ["x", "first"], ["h"]),
            helper.make_node("Gelu", ["h"], ["g"]),
            helper.make_node("MatMul", ["g", "second"], ["y"]),
        ],
        "small",
        [helper.make_tensor_value_info("ids", TensorProto.INT64, ["b", "t"])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["b", "t", K])],
        [numpy_helper.from_array(value.astype(np.float32), name) for name, value in constants.items()],
    )
    return Network.of(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10))


def run(network: Network, ids: Array) -> Array:
    session = onnxruntime.InferenceSession(network.whole().SerializeToString(), providers=["CPUExecutionProvider"])
    found: Array = session.run(None, {"ids": ids})[0]
    return found


def by_token(x: Array, top: int) -> Array:
    scale = np.abs(x).max(-1, keepdims=True) / top
    return np.rint(x / scale) * scale


def test_it_computes_what_the_papers_say() -> None:
    generator = np.random.default_rng(0)
    content = model(generator)
    ids = generator.integers(100, size=(2, 7))
    calibration = generator.integers(100, size=(3, 1, 20))
    weights = {tensor.name: numpy_helper.to_array(tensor) for tensor in content.whole().graph.initializer}
    exact = run(content, ids)
    found = run(quantize(content, [{"ids": one} for one in calibration]), ids)

    table = np.abs(weights["table"]).max(1, keepdims=True) / 127
    rounded = np.rint(weights["table"] / table) * table
    maxima = np.abs(weights["table"][calibration]).max((0, 1, 2))
    smooth = maxima**0.6 / np.abs(weights["first"]).max(1) ** 0.4
    first = weights["first"] * smooth[:, None]
    first = np.rint(first / column_scale(first)) * column_scale(first)
    h = by_token(rounded[ids] / smooth, 127) @ first
    g = 0.5 * h * (1 + np.vectorize(__import__("math").erf)(h / np.sqrt(2)))
    second = np.rint(weights["second"] / column_scale(weights["second"])) * column_scale(weights["second"])
    naive = (by_token(g + 0.17, 255) - 0.17) @ second

    assert np.abs(found - naive).max() < 0.1 * np.abs(found - exact).max()
    assert np.abs(found - exact).max() < 0.03 * np.abs(exact).max()


def test_sums_of_two_products_stay_within_sixteen_bits() -> None:
    generator = np.random.default_rng(0)
    weight = generator.standard_t(2, size=(129, 50)).astype(np.float32)  # heavy tails: neighbors that both are large
    codes = np.pad(np.rint(weight / column_scale(weight)), ((0, 1), (0, 0)))
    assert np.abs(codes).max() <= 127
    largest = 255 * np.maximum(codes, 0)
    smallest = 255 * np.minimum(codes, 0)
    assert (largest[0::2] + largest[1::2]).max() <= 32767
    assert (smallest[0::2] + smallest[1::2]).min() >= -32768


def test_constants_that_stay_are_stored_in_half(tmp_path: object) -> None:
    generator = np.random.default_rng(0)
    content = model(generator)
    before = run(content, np.arange(6).reshape(1, 6))
    graph = GraphWriter(content)
    graph.nodes = graph.old
    graph.finish()
    types = {tensor.name: tensor.data_type for tensor in content.whole().graph.initializer}
    assert set(types.values()) == {TensorProto.FLOAT16}
    np.testing.assert_allclose(run(content, np.arange(6).reshape(1, 6)), before, atol=5e-3)


def test_a_graph_or_texts_with_nothing_in_them_are_refused() -> None:
    content = model(np.random.default_rng(0))
    with pytest.raises(ValueError, match="calibrate on, got none"):
        quantize(content, [])
    del content.model.graph.node[1:]
    with pytest.raises(ValueError, match="products of activations and weights, got none"):
        quantize(content, [])
