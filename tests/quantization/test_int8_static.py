from __future__ import annotations

import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from projhead.quantization import int8_static
from projhead.quantization.graph import column_scale
from projhead.quantization.int8_static import quantize_static
from projhead.quantization.network import Array, Network

D, K = 64, 70


def model(generator: np.random.Generator, *, bias: bool) -> Network:
    """A product of float inputs and a matrix, with or without a bias."""
    constants = {"w": generator.normal(size=(D, K)) / 8, "bias": generator.normal(size=K)}
    product = helper.make_node("MatMul", ["x", "w"], ["h" if bias else "y"])
    graph = helper.make_graph(
        [product, helper.make_node("Add", ["h", "bias"], ["y"])] if bias else [product],
        "small",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["b", "t", D])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["b", "t", K])],
        [numpy_helper.from_array(value.astype(np.float32), name) for name, value in constants.items()],
    )
    return Network.of(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10))


def run(network: Network, x: Array) -> Array:
    session = onnxruntime.InferenceSession(network.whole().SerializeToString(), providers=["CPUExecutionProvider"])
    found: Array = session.run(None, {"x": x})[0]
    return found


def channels(generator: np.random.Generator, tokens: int) -> Array:
    """Activations (1, tokens, d): some channels are large, all but the first are off the middle, the last is unused."""
    x = generator.normal(size=(1, tokens, D)) * np.geomspace(0.3, 20, D) + np.arange(D) / 32
    x[..., -1] = 0.001 * generator.normal(size=(1, tokens))
    return x.astype(np.float32)


@pytest.mark.parametrize("bias", [True, False])
def test_it_computes_what_it_says(bias: bool) -> None:
    generator = np.random.default_rng(0)
    content, calibration, x = model(generator, bias=bias), channels(generator, 300), channels(generator, 40)
    weights = {tensor.name: numpy_helper.to_array(tensor) for tensor in content.whole().graph.initializer}
    exact = run(content, x)
    found = run(quantize_static(content, [{"x": calibration[:, :150]}, {"x": calibration[:, 150:]}]), x)

    least, most = calibration[0].min(0), calibration[0].max(0)
    narrow = most - least < 1.5 * np.median(most - least)
    least, most = (
        np.where(narrow, np.minimum(least, 1.5 * np.median(least)), least),
        np.where(narrow, np.maximum(most, 1.5 * np.median(most)), most),
    )
    center, reach, weight = (most + least) / 2, (most - least) / 2, weights["w"].astype(np.float64)
    step = reach**0.9 / np.abs(weight).max(1) ** 0.1
    step *= (reach / step).max() / 127.5
    scaled = weight * step[:, None]
    rounded = np.rint(scaled / column_scale(scaled)) * column_scale(scaled)
    lacking = calibration[0].mean(0) @ weight - (calibration[0].mean(0) - center) / step @ rounded
    naive = np.clip(np.rint((x - center) / step), -128, 127) @ rounded + lacking + (weights["bias"] if bias else 0)

    assert np.abs(found - naive).mean() < 0.02 * np.abs(found - exact).mean()
    assert np.abs(found - exact).std() < 0.02 * exact.std()


def test_a_channel_that_calibration_hardly_used_is_not_cut_off() -> None:
    generator = np.random.default_rng(0)
    content, calibration = model(generator, bias=True), channels(generator, 300)
    x = calibration[:, :40].copy()
    x[..., -1] = 3 * generator.normal(size=40)
    exact = run(content, x)
    found = run(quantize_static(content, [{"x": calibration}]), x)
    assert np.abs(found - exact).max() < 0.05 * exact.std()


def test_more_texts_do_not_widen_ranges(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(int8_static, "_BLOCK", 200)
    generator = np.random.default_rng(0)
    content, texts = model(generator, bias=True), channels(generator, 400).reshape(4, 1, 100, D)
    found = quantize_static(content, [{"x": text} for text in texts])
    blocks = np.stack([texts[::2], texts[1::2]]).reshape(2, 200, D)  # two of the size, with every other text each
    least, most = blocks.min(1).mean(0), blocks.max(1).mean(0)
    wide = most - least > 1.5 * np.median(most - least)
    (center,) = (numpy_helper.to_array(one) for one in found.whole().graph.initializer if one.name == "x_center")
    np.testing.assert_allclose(center[wide], (least + most)[wide] / 2, rtol=1e-5)
    quantize_static(model(generator, bias=True), [{"x": texts.reshape(1, 400, D)}])  # one text is one block at most


def test_no_texts_are_refused() -> None:
    with pytest.raises(ValueError, match="calibrate on, got none"):
        quantize_static(model(np.random.default_rng(0), bias=True), [])
