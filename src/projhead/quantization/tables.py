"""A table of tokens in int8."""

from __future__ import annotations

from projhead.quantization.graph import GraphWriter
from projhead.quantization.network import Network


def tables_in_int8(network: Network) -> Network:
    """Return `network` with its token tables in int8 by rows, and nothing else changed but size."""
    network = network.copy()
    graph = GraphWriter(network)
    for node in graph.old:
        graph.keep(node)
    graph.finish()
    return network
