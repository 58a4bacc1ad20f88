from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from projhead.quantization.float16 import to_float16
from projhead.quantization.network import Network

D = 48


def model(table: np.ndarray, weight: np.ndarray, mask: float) -> Network:
    """Token ids to a table's rows plus a mask over positions counted in floats, a product, a sum of squares / 1e-9."""
    f = numpy_helper.from_array
    constants = [f(table, "table"), f(weight, "weight"), f(np.float32(mask), "least"), f(np.float32(0), "zero"),
                 f(np.float32(4095.5), "late"), f(np.array([1]), "tokens"), f(np.float32(1e-9), "tiny")]  # fmt: skip
    nodes = [
        helper.make_node("Gather", ["table", "ids"], ["x"]),
        helper.make_node("Cast", ["positions"], ["counted"], to=TensorProto.FLOAT),
        helper.make_node("Less", ["counted", "late"], ["early"]),
        helper.make_node("Where", ["early", "zero", "least"], ["mask"]),
        helper.make_node("Add", ["x", "tiny"], ["above"]),
        helper.make_node("Add", ["above", "mask"], ["masked"]),
        helper.make_node("Cast", ["masked"], ["again"], to=TensorProto.FLOAT),
        helper.make_node("MatMul", ["again", "weight"], ["h"]),
        helper.make_node("ReduceSumSquare", ["h", "tokens"], ["squares"], keepdims=0),
        helper.make_node("Div", ["squares", "tiny"], ["y"]),  # in float16 it would be a division by zero
    ]
    inputs = [helper.make_tensor_value_info(name, TensorProto.INT64, ["b", "t", *more])
              for name, more in (("ids", []), ("positions", [1]))]  # fmt: skip
    outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["b", D])]
    graph = helper.make_graph(nodes, "small", inputs, outputs, constants)
    return Network.of(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10))


def run(network: Network, ids: np.ndarray, positions: np.ndarray) -> np.ndarray:
    onnx.checker.check_model(network.whole(), full_check=True)
    session = onnxruntime.InferenceSession(network.whole().SerializeToString(), providers=["CPUExecutionProvider"])
    found: np.ndarray = session.run(None, {"ids": ids, "positions": positions[..., None]})[0]
    return found


def test_the_network_is_in_half_and_what_surrounds_it_is_not() -> None:
    generator = np.random.default_rng(0)
    table = generator.normal(size=(64, D)).astype(np.float32)
    weight = generator.normal(size=(D, D)).astype(np.float32)
    ids = generator.integers(64, size=(2, 300))
    positions = np.full_like(ids, 4095)  # 4,096 in float16, which is not less than 4,095.5
    half = to_float16(model(table, weight, -np.finfo(np.float32).max))
    found = run(half, ids, positions)
    h = table.astype(np.float16)[ids].astype(np.float64) @ weight.astype(np.float16)
    np.testing.assert_allclose(1e-9 * found, (h**2).sum(1), rtol=2e-3)
    types = {tensor.name: tensor.data_type for tensor in half.model.graph.initializer}
    assert types["table_float16"] == types["weight_float16"] == TensorProto.FLOAT16
    assert not {"table", "weight"} & set(types)


def test_sums_beyond_float16_and_masks_below_it_stay_finite() -> None:
    table, weight = np.full((64, D), 10, np.float32), np.eye(D, dtype=np.float32)
    ids, positions = np.zeros((1, 1000), np.int64), np.zeros((1, 1000), np.int64)
    np.testing.assert_allclose(run(to_float16(model(table, weight, -1)), ids, positions), 1e14, rtol=1e-6)
    least = to_float16(model(table, weight, -np.finfo(np.float32).max))
    np.testing.assert_allclose(run(least, ids[:, :1], positions[:, :1] + 5000), 65504.0**2 * 1e9, rtol=1e-3)


def test_a_graph_without_a_network_is_refused() -> None:
    content = model(np.ones((64, D), np.float32), np.eye(D, dtype=np.float32), -1)
    del content.model.graph.node[5:]
    with pytest.raises(ValueError, match="got none; export it in float32"):
        to_float16(content)
