"""Attention in blocks against attention as a whole, on networks of several kinds, and what it holds in memory."""

from __future__ import annotations

import numpy as np
import pytest
from tests.quantization.networks import CAUSAL, KINDS, exported, run, texts

from projhead.encoders.graph import ATTENTION
from projhead.quantization.blocks import in_blocks
from projhead.quantization.float16 import to_float16


@pytest.mark.parametrize("kind", KINDS)
def test_blocks_of_any_size_give_what_the_whole_gives(kind: str) -> None:
    network = exported(kind)
    feed = texts(23, 9, 1)
    exact = run(network, feed)
    for scores in (1, 300, 600, 1 << 22):  # one query, a few and a rest, all
        blocks = in_blocks(network, scores)
        assert [(one.key, one.value) for one in blocks.model.metadata_props] == [(ATTENTION, "blocks")]
        np.testing.assert_allclose(run(blocks, feed), exact, atol=2e-5)
        np.testing.assert_allclose(run(blocks, texts(1)), run(network, texts(1)), atol=2e-5)
    if kind == CAUSAL:
        half = to_float16(network)
        np.testing.assert_allclose(run(in_blocks(half, 300), feed), run(half, feed), atol=1e-2)


def test_no_tensor_of_all_pairs_of_tokens_is_left() -> None:
    blocks = in_blocks(exported(CAUSAL), 64 * 300)
    names = {name for node in blocks.model.graph.node if node.op_type != "Loop" for name in node.output}
    sizes = {name: blocks.shapes.get(name, ()) for name in names}
    assert not [name for name, shape in sizes.items() if shape.count("sequence") > 1]
    assert run(blocks, texts(300)).shape == (1, 32)


def test_what_is_not_understood_stays_whole_and_is_said_to() -> None:
    network = exported("positions of each token").copy()
    softmax = next(node for node in network.model.graph.node if node.op_type == "Softmax")
    network.shapes[softmax.output[0]] = ("batch", "heads", "sequence", "sequence")
    blocks = in_blocks(network, 300)
    assert [one.value for one in blocks.model.metadata_props] == ["whole"]
    assert "Loop" not in [node.op_type for node in blocks.model.graph.node]
    np.testing.assert_allclose(run(blocks, texts(23, 9)), run(network, texts(23, 9)), atol=2e-5)
