"""Feed-forward layers in blocks of columns against whole ones."""

from __future__ import annotations

import numpy as np
import pytest
from tests.quantization.networks import KINDS, exported, run, texts

from projhead.quantization.columns import in_columns
from projhead.quantization.network import Network


def widths(network: Network) -> set[int]:
    """Return how many columns products with weights have."""
    constants = network.constants()
    products = [node for node in network.model.graph.node if node.op_type == "MatMul"]
    return {constants[node.input[1]].shape[1] for node in products if node.input[1] in constants}


@pytest.mark.parametrize("kind", KINDS)
def test_columns_give_what_whole_layers_give(kind: str) -> None:
    network = exported(kind)
    columns = in_columns(network)
    cut = {160, 80} & widths(network)  # gate and value as one product, or each
    assert cut
    assert not cut & widths(columns)
    assert sum(value.size for value in columns.constants().values()) == pytest.approx(
        sum(value.size for value in network.constants().values()), rel=1e-3
    )
    for feed in (texts(23, 9, 1), texts(1)):
        np.testing.assert_allclose(run(columns, feed), run(network, feed), atol=2e-5)


def test_what_is_not_understood_stays() -> None:
    network = exported("positions of each token").copy()
    for node in network.model.graph.node:
        if node.op_type == "Gelu":
            node.op_type, node.domain = "Unknown", "somebody's"
    assert widths(in_columns(network)) == widths(network)
