"""Masks without an axis of queries where all queries have the same."""

from __future__ import annotations

import numpy as np
import pytest
from tests.quantization.networks import CAUSAL, KINDS, exported, run, texts

from projhead.quantization.masks import narrow_masks
from projhead.quantization.network import Network

#: Of which the mask is the same for every query in some layers.
BOTH_SIDES = sorted(set(KINDS) - {CAUSAL})


def masks(network: Network) -> set[tuple[int | str, ...]]:
    """Return the shapes of what is put on scores instead of them."""
    return {network.shapes[node.output[0]] for node in network.model.graph.node if node.op_type == "Where"}


@pytest.mark.parametrize("kind", BOTH_SIDES)
def test_a_mask_that_is_the_same_for_every_query_has_no_axis_of_queries(kind: str) -> None:
    network = exported(kind)
    narrow = narrow_masks(network)
    assert ("batch", 1, 1, "sequence") not in masks(network)
    assert ("batch", 1, 1, "sequence") in masks(narrow)
    for feed in (texts(23, 9, 1), texts(1)):
        np.testing.assert_allclose(run(narrow, feed), run(network, feed), atol=1e-6)


def test_a_mask_that_something_reads_whole_stays() -> None:
    network = exported(BOTH_SIDES[0]).copy()
    node = next(one for one in network.model.graph.node if one.op_type == "Where")
    (softmax,) = (one for one in network.model.graph.node if one.op_type == "Softmax")
    softmax.input[0] = node.output[0]  # not along an axis that all elements share
    assert narrow_masks(network) is network


def test_a_causal_mask_stays() -> None:
    assert masks(narrow_masks(exported(CAUSAL))) == masks(exported(CAUSAL))
