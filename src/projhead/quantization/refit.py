"""Fit the head again to the rows of a quantized network.

Rounding does not only scatter the rows that enter the head, it also shifts and turns them, much the same way for all
texts. The affine map back to the float32 network's rows, found by ridge regression toward the identity (Hoerl and
Kennard, "Ridge Regression", 1970), goes into the head's first layer: the graph stays as large and as fast as it was.
What is gained is likeness: quantized rows find float32 rows, and the other way, better than before. Among themselves
they find the same neighbors as before, for what all rows have in common decides none.

References
----------
- https://doi.org/10.1080/00401706.1970.10488634
"""

from __future__ import annotations

from typing import Any

import numpy as np

from projhead.quantization.graph import GraphWriter
from projhead.quantization.network import Array

#: What pulls to the identity, over the rows' summed squares. A tenth of it learns the errors of 256 rows by heart.
_RIDGE = 0.01


def first_layer(graph: GraphWriter) -> Any:
    """Return the node of the head's first layer; None where there is no head."""
    layers = (node for node in graph.old if node.op_type == "Gemm" and node.input[1] in graph.constants)
    return next(layers, None)


def absorb(graph: GraphWriter, layer: Any, exact: Array, found: Array) -> None:
    """Change a layer so that rows `found` give what rows `exact` gave.

    Parameters
    ----------
    graph : GraphWriter
    layer : onnx.NodeProto
        A Gemm of rows and a transposed weight (k, d), as `first_layer` gives it.
    exact, found : ndarray of shape (n, d)
        Rows of the same texts, of the float32 network and of the quantized one.
    """
    rows, width = found.shape
    known = np.hstack([found, np.ones((rows, 1))]).astype(np.float64)
    start = np.eye(width + 1, width)
    pull = _RIDGE * np.square(found).sum(dtype=np.float64) * (start @ start.T)  # a shift costs nothing
    map_back = np.linalg.solve(known.T @ known + pull, known.T @ exact + pull @ start)
    weight, *bias = (graph.constants[name] for name in list(layer.input)[1:])
    shift = weight @ map_back[-1] + (bias[0] if bias else 0)
    names = [f"{layer.output[0]}_{name}" for name in ("refitted", "refitted_bias")]
    for name, value in zip(names, (weight @ map_back[:-1].T, shift), strict=True):
        graph.constant(name, value.astype(np.float32))
    layer.input[:] = [layer.input[0], *names]
