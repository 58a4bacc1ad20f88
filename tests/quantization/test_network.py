from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from projhead.quantization.float16 import to_float16
from projhead.quantization.network import SMALL, Network
from projhead.quantization.onnxruntime_int8 import quantize_dynamic

TABLE = np.random.default_rng(0).normal(size=(300, 64)).astype(np.float32)
WEIGHT = np.random.default_rng(1).normal(size=(64, 48)).astype(np.float32)
IDS = {"ids": np.arange(12).reshape(2, 6)}


@pytest.fixture
def network() -> Network:
    """Token ids to a table's rows, a product, and the other sign."""
    graph = helper.make_graph(
        [
            helper.make_node("Gather", ["table", "ids"], ["x"]),
            helper.make_node("MatMul", ["x", "w"], ["product"]),
            helper.make_node("Neg", ["product"], ["y"]),
        ],
        "small",
        [helper.make_tensor_value_info("ids", TensorProto.INT64, ["b", "t"])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["b", "t", 48])],
        [numpy_helper.from_array(TABLE, "table"), numpy_helper.from_array(WEIGHT, "w")],
    )
    return Network.of(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10))


def test_weights_are_beside_the_graph_and_no_copies(network: Network) -> None:
    assert network.model.ByteSize() < 1000 < network.bytes
    copied = network.copy()
    copied.model.graph.node.pop()
    assert len(network.model.graph.node) == 3
    assert copied.weights["table"] is network.weights["table"]
    y, x = network.session(["x"]).run(["y", "x"], IDS)
    np.testing.assert_array_equal(x, TABLE[IDS["ids"]])
    np.testing.assert_allclose(y, -TABLE[IDS["ids"]] @ WEIGHT, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("form", ["float32", "float16", "int8_dynamic"])
@pytest.mark.parametrize("apart", [False, True])
def test_one_file_or_two_say_the_same(form: str, apart: bool, network: Network, tmp_path: Path) -> None:
    made = {"float32": lambda one: one, "float16": to_float16, "int8_dynamic": quantize_dynamic}[form](network)
    path = tmp_path / "model.onnx"
    made.write(path, 5000 if apart else made.bytes)
    assert (tmp_path / "model.onnx_data").is_file() == apart
    onnx.checker.check_model(str(path))
    found = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"]).run(["y"], IDS)[0]
    exact = -TABLE[IDS["ids"]] @ WEIGHT
    np.testing.assert_allclose(found, exact, atol={"float32": 1e-4, "float16": 0.1, "int8_dynamic": 1}[form])
    np.testing.assert_array_equal(found, made.session().run(["y"], IDS)[0])


@pytest.mark.parametrize("dtype", [np.float32, np.float16, np.int8, np.int64])
def test_what_is_large_is_told_by_its_content_not_by_its_message(dtype: type) -> None:
    for n in (SMALL // np.dtype(dtype).itemsize - 1, SMALL // np.dtype(dtype).itemsize):
        tensor = numpy_helper.from_array(np.zeros(n, dtype), "a name of some length")
        model = helper.make_model(helper.make_graph([], "graph", [], [], initializer=[tensor]))
        assert len(Network.of(model).weights) == (n * np.dtype(dtype).itemsize >= SMALL)
