from __future__ import annotations

import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper
from sklearn.linear_model import Ridge

from projhead.quantization import int8_static
from projhead.quantization.graph import GraphWriter
from projhead.quantization.int8_static import quantize_static
from projhead.quantization.network import Array, Network
from projhead.quantization.refit import absorb, first_layer
from projhead.vectors import unit_rows

D, K = 40, 33


def model(*, bias: bool, network: bool) -> Network:
    """A head of one layer, behind nothing or behind a product of which tokens' means are taken."""
    generator = np.random.default_rng(0)
    constants = {"w": generator.normal(size=(K, D)), "bias": generator.normal(size=K), "axis": np.array([1])}
    constants |= {"product": generator.normal(size=(D, D)) / 8}
    body = [
        helper.make_node("MatMul", ["x", "product"], ["tokens"]),
        helper.make_node("ReduceMean", ["tokens", "axis"], ["rows"], keepdims=0),
    ]
    head = helper.make_node("Gemm", ["rows" if network else "x", "w", *["bias"] * bias], ["y"], transB=1)
    graph = helper.make_graph(
        [*body, head] if network else [head],
        "small",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["b", "t", D] if network else ["b", D])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["b", K])],
        [
            numpy_helper.from_array(value.astype(np.int64 if name == "axis" else np.float32), name)
            for name, value in constants.items()
        ],
    )
    return Network.of(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10))


def run(network: Network, x: Array) -> Array:
    session = onnxruntime.InferenceSession(network.whole().SerializeToString(), providers=["CPUExecutionProvider"])
    found: Array = session.run(["y"], {"x": x})[0]
    return found


@pytest.mark.parametrize("bias", [True, False])
def test_the_layer_takes_in_the_ridge_regression_to_the_exact_rows(bias: bool) -> None:
    generator = np.random.default_rng(1)
    exact = unit_rows(generator.normal(size=(300, D)))
    found = unit_rows(exact + 0.02 * generator.normal(size=exact.shape) + 0.03)
    content = model(bias=bias, network=False)
    unseen = found[:50]
    ridge = Ridge(alpha=0.01 * 300).fit(found.astype(np.float64), exact - found)
    expected = run(content, (unseen + ridge.predict(unseen)).astype(np.float32))
    graph = GraphWriter(content)
    graph.nodes = list(graph.old)
    absorb(graph, first_layer(graph), exact, found)
    graph.finish()
    np.testing.assert_allclose(run(content, unseen), expected, atol=5e-3)  # weights are kept in float16


@pytest.mark.parametrize("bias", [True, False])
def test_a_quantized_network_errs_less_on_other_texts(bias: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    generator = np.random.default_rng(2)

    def texts(count: int) -> Array:
        tokens = generator.normal(size=(count, 3, D)) * np.geomspace(0.2, 20, D) + 1
        return tokens.clip(-30, None).astype(np.float32)

    calibration, unseen = texts(200), texts(100)
    content = model(bias=bias, network=True)
    exact, calibrated = run(content, unseen), run(content, calibration)
    batches = [{"x": text[None]} for text in calibration]
    refitted = quantize_static(content, batches)
    monkeypatch.setattr(int8_static, "first_layer", lambda graph: None)
    before = quantize_static(model(bias=bias, network=True), batches)
    assert np.square(run(refitted, unseen) - exact).mean() < 0.9 * np.square(run(before, unseen) - exact).mean()
    errors = [np.abs((run(one, calibration) - calibrated).mean(0)).max() for one in (refitted, before)]
    assert errors[0] < 0.2 * errors[1]  # nothing is left of what all texts have in common
