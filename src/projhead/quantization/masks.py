"""Masks of attention without an axis that says nothing."""

from __future__ import annotations

from typing import Any

import numpy as np

from projhead.quantization.network import Array, Network
from projhead.quantization.regions import ELEMENTWISE, Region, Whole


def narrow_masks(network: Network) -> Network:
    """Return `network` with masks (b, 1, 1, t) where they are the same for every query.

    transformers asks of attention to both sides whether the place of a query is at least 0, and torch exports the
    question: all masks would be (b, 1, t, t), 268 MB for a text of 8,192 tokens.

    Returns
    -------
    Network
        The same function; `network` itself where there is no such question, or where something reads the whole mask.
    """
    from onnx import numpy_helper

    narrow, constants = network.copy(), network.constants()
    graph = narrow.model.graph
    makers = {output: node for node in graph.node for output in node.output}
    true = [node for node in graph.node if _is_true(node, makers, constants)]
    wide = {node.output[0] for node in true}
    for node in graph.node:
        if node.op_type in ELEMENTWISE and wide & set(node.input):
            wide.add(node.output[0])
    told = {name: narrow.shapes.pop(name) for name in wide if name in narrow.shapes}
    for node in true:
        graph.node.remove(node)
        ones = np.ones([1] * len(told.get(node.output[0], ())), bool)
        graph.initializer.append(numpy_helper.from_array(ones, node.output[0]))
    try:
        region = Region(narrow)
        narrow.shapes |= {name: region.shape(name) for name in wide}
    except Whole:
        return network
    changed = {name for name in wide if narrow.shapes[name] != told.get(name)}
    if any(changed & set(node.input) and node.op_type not in ELEMENTWISE | {"Expand"} for node in graph.node):
        return network
    kept = [one for one in graph.value_info if one.name not in changed]
    del graph.value_info[:]
    graph.value_info.extend(kept)
    return narrow


def _is_true(node: Any, makers: dict[str, Any], constants: dict[str, Array]) -> bool:
    """Say whether a node asks if 0, 1, 2 ... are at least 0."""
    if node.op_type != "GreaterOrEqual" or np.any(constants.get(node.input[1], 1) > 0):
        return False
    places = makers.get(node.input[0])
    while places is not None and places.op_type in ("Unsqueeze", "Cast", "Identity"):
        places = makers.get(places.input[0])
    if places is None or places.op_type != "Range":
        return False
    start, step = constants.get(places.input[0]), constants.get(places.input[2])
    return start is not None and step is not None and bool(start >= 0 and step > 0)
