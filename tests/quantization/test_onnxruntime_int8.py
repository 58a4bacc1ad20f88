from __future__ import annotations

import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from projhead.quantization.network import Array, Network
from projhead.quantization.onnxruntime_int8 import quantize_dynamic, quantize_weights

D, K = 64, 70


@pytest.fixture
def model() -> Network:
    """Token ids to a table's rows and a product."""
    generator = np.random.default_rng(0)
    constants = {"table": generator.normal(size=(100, D)), "w": generator.normal(size=(D, K)) / 8}
    graph = helper.make_graph(
        [helper.make_node("Gather", ["table", "ids"], ["x"]), helper.make_node("MatMul", ["x", "w"], ["y"])],
        "small",
        [helper.make_tensor_value_info("ids", TensorProto.INT64, ["b", "t"])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["b", "t", K])],
        [numpy_helper.from_array(value.astype(np.float32), name) for name, value in constants.items()],
    )
    return Network.of(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10))


def run(network: Network) -> Array:
    session = onnxruntime.InferenceSession(network.whole().SerializeToString(), providers=["CPUExecutionProvider"])
    found: Array = session.run(None, {"ids": np.arange(100).reshape(4, 25)})[0]
    return found


def operators(network: Network) -> set[str]:
    return {node.op_type for node in network.model.graph.node}


def test_dynamic(model: Network) -> None:
    exact = run(model)
    small = quantize_dynamic(model)
    assert "MatMulInteger" in operators(small)
    assert 1e-4 < (run(small) - exact).std() / exact.std() < 0.03


@pytest.mark.parametrize(("bits", "error"), [(8, 0.01), (4, 0.12)])
def test_weights_alone(bits: int, error: float, model: Network) -> None:
    exact = run(model)
    tables = np.abs(numpy_helper.to_array(model.whole().graph.initializer[0])).max(1, keepdims=True) / 127
    small = quantize_weights(model, bits)
    assert "MatMulNBits" in operators(small)
    assert "y" in {output.name for output in small.model.graph.output}
    relative = (run(small) - exact).std() / exact.std()
    assert tables.mean() / 12**0.5 / 2 < relative < error  # the table is in int8 as well
