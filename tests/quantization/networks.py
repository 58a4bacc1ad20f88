"""Graphs of several kinds of networks with random weights, and texts for them."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import torch
import transformers
from torch import nn

from projhead.exporters.tracing import export_graph
from projhead.quantization.network import Array, Network

SIZE = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 80, "vocab_size": 50}
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
