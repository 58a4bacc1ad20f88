"""A token table as a graph: token ids and mask in, mean rows out."""

from __future__ import annotations

import json
from typing import Any

import torch
from sentence_transformers.sentence_transformer.modules import StaticEmbedding
from tokenizers import Tokenizer
from torch import nn

from projhead.encoders.graph import OUTPUT


class TokenMean(nn.Module):
    """The mean of a text's token rows, as `StaticEmbedding` gives it; zero for a text without tokens."""

    def __init__(self, table: StaticEmbedding) -> None:
        super().__init__()
        self.weight = table.embedding.weight

    def forward(self, features: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """Add the means (b, d) of ``input_ids`` (b, t) where ``attention_mask`` (b, t) is one."""
        mask = features["attention_mask"].to(self.weight.dtype).unsqueeze(2)
        rows = nn.functional.embedding(features["input_ids"], self.weight) * mask
        return {**features, OUTPUT: rows.sum(1) / mask.sum(1).clamp(min=1)}


def token_example() -> dict[str, torch.Tensor]:
    """Return what a graph of a table takes: two texts of three tokens and of two."""
    mask = torch.tensor([[1, 1, 1], [1, 1, 0]])
    return {"input_ids": mask.clone(), "attention_mask": mask}


def bare_tokenizer(tokenizer: Tokenizer) -> Tokenizer:
    """Return a tokenizer that adds no marks by itself, as a table reads texts, cuts as it did, and pads."""
    settings: dict[str, Any] = json.loads(tokenizer.to_str())
    bare = Tokenizer.from_str(json.dumps({**settings, "post_processor": None}))
    bare.enable_padding(pad_id=0)  # whichever: the mask leaves it out
    return bare
