"""Attention in blocks against attention as a whole, on networks of several kinds, and what it holds in memory."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from torch import nn

from projhead.encoders.graph import ATTENTION
from projhead.exporters.tracing import export_graph
from projhead.quantization.blocks import in_blocks
from projhead.quantization.float16 import to_float16
from projhead.quantization.network import Array, Network

SIZE = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32, "vocab_size": 50}
ROTARY = {"num_key_value_heads": 1, "head_dim": 16, "max_position_embeddings": 4096, "pad_token_id": 0}
CAUSAL = "causal, rotary, fewer keys"
KINDS: dict[str, tuple[str, dict[str, Any]]] = {
    "positions of each token": ("Bert", {}),
    "a bias of relative positions": ("MPNet", {}),
    CAUSAL: ("Qwen3", ROTARY),
    "neighbors alone in some layers": (
        "ModernBert",
        {
            "num_hidden_layers": 2,
            "local_attention": 8,
            "global_attn_every_n_layers": 2,
            "max_position_embeddings": 4096,
            "pad_token_id": 0,
        },
    ),
}


class _Mean(nn.Module):
    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        tokens = self.network(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        mask = attention_mask.unsqueeze(2).to(tokens.dtype)
        return (tokens * mask).sum(1) / mask.sum(1)


@cache
def exported(what: str) -> Network:
    """Export a network of random weights."""
    kind, more = KINDS[what]
    torch.manual_seed(0)
    config = getattr(transformers, f"{kind}Config")(**SIZE | {"initializer_range": 0.5} | more)
    network = getattr(transformers, f"{kind}Model")(config).eval()
    network.set_attn_implementation("eager")
    axes = {0: torch.export.Dim("batch"), 1: torch.export.Dim("sequence")}
    example = (torch.ones(2, 6, dtype=torch.int64), torch.ones(2, 6, dtype=torch.int64))
    names = ["input_ids", "attention_mask"]
    return export_graph(_Mean(network), example, names, (axes, axes), "sentence_embedding")


def texts(*lengths: int) -> dict[str, Array]:
    mask = (np.arange(max(lengths)) < np.array(lengths)[:, None]).astype(np.int64)
    return {"input_ids": np.random.default_rng(0).integers(1, 50, mask.shape) * mask, "attention_mask": mask}


def run(network: Network, feed: dict[str, Array]) -> Array:
    found: Array = network.session().run(["sentence_embedding"], feed)[0]
    return found


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
