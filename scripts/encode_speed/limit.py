"""What the hardware allows: the rate of ONNX Runtime's matrix products on a model's own shapes, nothing else done."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import joblib
import numpy as np
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from sentence_transformers import SentenceTransformer

from projhead.exporters.tracing import whole_graph
from projhead.quantization.calibration import products_of
from projhead.quantization.graph import GraphWriter

TOKENS = 1024  # of a batch


def shapes_of(student: SentenceTransformer) -> Counter[tuple[int, int]]:
    """Return how many products of each shape (d, k) every token takes part in."""
    graph = GraphWriter(whole_graph(student))
    return Counter(graph.constants[node.input[1]].shape for nodes in products_of(graph).values() for node in nodes)


def limit(shapes: Counter[tuple[int, int]], tokens: int, *, int8: bool) -> Callable[[], None]:
    """Return what runs all products of that many tokens, in batches side by side on every processor."""
    sessions = [(_session(shape, int8), count, _activations(shape[0], int8)) for shape, count in shapes.items()]

    def batch(_: int) -> None:
        for session, count, x in sessions:
            for _ in range(count):
                session.run(None, {"x": x})

    def run() -> None:
        with ThreadPoolExecutor(joblib.cpu_count()) as pool:
            list(pool.map(batch, range(math.ceil(tokens / TOKENS))))

    return run


def _activations(d: int, int8: bool) -> np.ndarray:
    x = np.random.default_rng(0).integers(0, 256, (TOKENS, d))
    return x.astype(np.uint8 if int8 else np.float32)


def _session(shape: tuple[int, int], int8: bool) -> onnxruntime.InferenceSession:
    weight = np.random.default_rng(1).integers(-64, 64, shape)
    kinds = (TensorProto.UINT8, TensorProto.INT32) if int8 else (TensorProto.FLOAT, TensorProto.FLOAT)
    constants = {"w": weight.astype(np.int8 if int8 else np.float32)} | ({"zero": np.uint8(128)} if int8 else {})
    node = helper.make_node("MatMulInteger" if int8 else "MatMul", ["x", *constants], ["y"])
    graph = helper.make_graph(
        [node],
        "limit",
        [helper.make_tensor_value_info("x", kinds[0], [TOKENS, shape[0]])],
        [helper.make_tensor_value_info("y", kinds[1], [TOKENS, shape[1]])],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
