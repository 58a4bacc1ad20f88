"""Compute attention in blocks of queries, so that no full score matrix is held.

Softmax takes each query's scores by themselves, so that blocks give what the whole gives (Rabe and Staats,
"Self-attention Does Not Need O(n^2) Memory", 2021). What depends on pairs of tokens besides, masks and biases of
relative positions, is computed for a block's queries too. Only standard ONNX operators are used: on a CPU, ONNX
Runtime's fused operators hold all scores as soon as there is a mask.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from projhead.encoders.graph import ATTENTION
from projhead.quantization.network import Network, used
from projhead.quantization.regions import Region, Whole

#: Scores of a block, over all texts and heads: 16 MB in float32. Batches of short texts are one block.
SCORES = 1 << 22
#: Of a file for GPUs, which have the memory and would wait for each block.
SCORES_OF_GPUS = 1 << 24


def in_blocks(network: Network, scores: int = SCORES) -> Network:
    """Return `network` with its attention in blocks of queries, and a note of whether all of it is.

    Parameters
    ----------
    network : Network
        Of ``input_ids`` (b, t) and so on; its `shapes` say which axes are t long.
    scores : int
        What a block holds at most, over texts, heads, queries and keys; one query's are always held.

    Returns
    -------
    Network
        The same function. What is not understood stays whole: the entry `ATTENTION` of its metadata is then
        ``"whole"``, else ``"blocks"``.
    """
    network = network.copy()
    graph, region = network.model.graph, Region(network)
    nodes: list[Any] = []
    sizes: dict[int, dict[str, str]] = {}
    for node in graph.node:
        try:
            if node.op_type != "MatMul" or not region.is_square(node.input[0]):
                raise Whole
            heads = region.heads(node.input[0])
            size = sizes.setdefault(heads, _names(heads))
            nodes += _loop(node, region, size)
        except Whole:
            nodes.append(node)
    head = [part for heads in sizes for part in _size(graph, heads, scores)]
    kept = used([*head, *nodes], [one.name for one in graph.output])
    whole = any(node.op_type == "Softmax" and region.is_square(node.output[0]) for node in kept)
    del graph.node[:], graph.value_info[:]
    graph.node.extend(kept)
    network.model.metadata_props.add(key=ATTENTION, value="whole" if whole else "blocks")
    return network


def attention_of(network: Network) -> str:
    """Return the attention entry of a graph's metadata that `in_blocks` wrote."""
    return str(next(one.value for one in network.model.metadata_props if one.key == ATTENTION))


def _loop(node: Any, region: Region, size: dict[str, str]) -> list[Any]:
    """Return what gives the output of `node`, the product (b, h, t, e) of weights and values, block by block."""
    from onnx import helper

    (output,), rank = node.output, len(region.shape(node.output[0]))
    name = f"{output}_block"
    number, go, rows = f"{name}_number", f"{name}_go", f"{name}_rows"
    body = region.restricted(node, rows)
    place = [
        helper.make_node("Mul", [number, size["rows"]], [f"{name}_start"]),
        helper.make_node("Add", [f"{name}_start", size["steps"]], [f"{name}_places"]),
        helper.make_node("Min", [f"{name}_places", size["last"]], [rows]),  # the last block's surplus is cut off below
    ]
    again = helper.make_node("Identity", [go], [f"{go}_on"])
    block = helper.make_graph(
        [*place, *body, again],
        name,
        [helper.make_tensor_value_info(number, 7, []), helper.make_tensor_value_info(go, 9, [])],
        [helper.make_tensor_value_info(f"{go}_on", 9, []), helper.make_empty_tensor_value_info(body[-1].output[0])],
    )
    order = [*range(1, rank - 1), 0, rank - 1, rank]
    return [
        helper.make_node("Loop", [size["trips"], ""], [f"{name}_all"], body=block),  # (n, b, h, c, e)
        helper.make_node("Transpose", [f"{name}_all"], [f"{name}_ordered"], perm=order),  # (b, h, n, c, e)
        helper.make_node("Reshape", [f"{name}_ordered", region.flat(output)], [f"{name}_joined"]),  # (b, h, n c, e)
        helper.make_node("Slice", [f"{name}_joined", "blocks_zero", "blocks_t", region.query_axis], [output]),
    ]


def _names(heads: int) -> dict[str, str]:
    return {name: f"blocks_{name}_{heads}" for name in ("rows", "steps", "trips")} | {"last": "blocks_last"}


def _size(graph: Any, heads: int, scores: int) -> list[Any]:
    """Return what says how many queries a block has, and how many blocks there are, of a batch (b, t)."""
    from onnx import helper, numpy_helper

    known = {one.name for one in graph.initializer}
    constants = {"blocks_zero": np.array([0]), "blocks_one": np.array(1), "blocks_none": np.array(0)}
    constants |= {"blocks_second": np.array([1]), f"blocks_scores_{heads}": np.array(max(scores // heads, 1))}
    for name, value in constants.items():
        if name not in known:
            graph.initializer.append(numpy_helper.from_array(value.astype(np.int64), name))
    names, first = _names(heads), "blocks_none" not in known
    make = helper.make_node
    shared = [
        make("Shape", ["input_ids"], ["blocks_shape"]),
        make("ReduceProd", ["blocks_shape"], ["blocks_tokens"], keepdims=0),
        make("Gather", ["blocks_shape", "blocks_second"], ["blocks_t"]),
        make("Squeeze", ["blocks_t"], ["blocks_length"]),
        make("Sub", ["blocks_length", "blocks_one"], ["blocks_last"]),
    ]
    return shared * first + [
        make("Div", [f"blocks_scores_{heads}", "blocks_tokens"], [f"{names['rows']}_fit"]),
        make("Max", [f"{names['rows']}_fit", "blocks_one"], [f"{names['rows']}_some"]),
        make("Min", [f"{names['rows']}_some", "blocks_length"], [names["rows"]]),
        make("Add", ["blocks_last", names["rows"]], [f"{names['trips']}_above"]),
        make("Div", [f"{names['trips']}_above", names["rows"]], [names["trips"]]),
        make("Range", ["blocks_none", names["rows"], "blocks_one"], [names["steps"]]),
    ]
