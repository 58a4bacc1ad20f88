"""Record the activations of a graph on calibration texts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any

from projhead.quantization.blocks import in_blocks
from projhead.quantization.graph import GraphWriter
from projhead.quantization.network import Array, Network


def products_of(graph: GraphWriter) -> dict[str, list[Any]]:
    """Return the products of an activation and a matrix of weights, by the activation's name.

    Raises
    ------
    ValueError
        If there are none.
    """
    products = defaultdict(list)
    for node in graph.old:
        if node.op_type == "MatMul" and graph.is_matrix(node.input[1]):
            products[node.input[0]].append(node)
    if not products:
        raise ValueError("expected a graph with products of activations and weights, got none; export it without int8")
    return dict(products)


def each_product(graph: GraphWriter, products: dict[str, list[Any]]) -> Iterator[tuple[Any, str]]:
    """Yield each product, to be written again, and its activation's name; all other nodes stay."""
    for node in graph.old:
        source = node.input[0] if node.input else ""
        if node in products.get(source, []):
            yield node, source
        else:
            graph.keep(node)
    graph.finish()


def activations(network: Network, names: list[str], batches: Iterable[dict[str, Array]]) -> Iterator[dict[str, Array]]:
    """Yield the named activations (b, t, d) of each batch of inputs.

    Raises
    ------
    ValueError
        If there are no batches.
    """
    session, batch = in_blocks(network).session(names), None
    for batch in batches:
        yield dict(zip(names, session.run(names, batch), strict=True))
    if batch is None:
        raise ValueError("int8: expected texts to calibrate on, got none")
