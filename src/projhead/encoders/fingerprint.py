"""The digest of what decides a model's vectors."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import torch

from projhead.encoders.sides import SIDES, Side, prompt_of, route_of, two_sided

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

#: Digests of weights, by that of the file that they come from.
_hashed: dict[str, list[str]] = {}
#: Its token ids tell tokenizers apart: case, accents, punctuation, digits, other scripts.
_PROBE = "The naïve Café-owner's 1,234.5 €? \t naive cafe; ДОМ, 東京, emoji 🙂 _snake_case_ <b>HTML</b>"


def fingerprint_of(model: SentenceTransformer, weights: str = "") -> str:
    """Return a digest of what decides a model's vectors: weights, modules, tokens and their limit.

    Taken of the loaded model, so a hub download, a local copy and a re-saved one agree.

    Parameters
    ----------
    model : SentenceTransformer
    weights : str
        The digest of the file that its weights are, where that is known: they are then hashed once in a process.

    Returns
    -------
    str
        16 hex digits.
    """
    tensors = _hashed.get(weights) or sorted(map(_digest, model.state_dict().values()))
    if weights:
        _hashed[weights] = tensors
    # Names of tensors and settings change between library versions; sorted digests and plain facts do not.
    facts = {
        "weights": [digest for digest in tensors if digest],
        **_side_facts(model, None),
        "prompt": model.prompts.get(model.default_prompt_name or ""),
        "truncate": model.truncate_dim,
    }
    if two_sided(model):
        facts["sides"] = [{**_side_facts(model, side), "prompt": prompt_of(model, side)} for side in SIDES]
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]


def _digest(tensor: torch.Tensor) -> str:
    """Return the digest of a weight; none of what counts positions."""
    if not tensor.is_floating_point():
        return ""
    raw = tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy()
    return hashlib.sha256(repr((tensor.dtype, tuple(tensor.shape))).encode() + raw.data).hexdigest()


def _side_facts(model: SentenceTransformer, side: Side | None) -> dict[str, Any]:
    """Return the modules of a side and what they read."""
    modules = route_of(model, side)
    first: Any = modules[0]
    tokenizer = getattr(first, "tokenizer", model.tokenizer)
    limit = getattr(first, "max_seq_length", model.max_seq_length)
    ids = (
        tokenizer(_PROBE, truncation=True, max_length=limit)["input_ids"]
        if callable(tokenizer)
        else tokenizer.encode(_PROBE).ids
    )
    return {"modules": [_facts(module) for module in modules], "max_seq_length": limit, "tokens": ids}


def poolings(model: SentenceTransformer) -> list[str]:
    """Return how tokens become a row, where a module says it."""
    modes = [mode for module in route_of(model, "document") if (mode := getattr(module, "pooling_mode", None))]
    return [str(one) for mode in modes for one in ([mode] if isinstance(mode, str) else mode)]


def _facts(module: torch.nn.Module) -> list[Any]:
    config = getattr(module, "config", None)
    return [
        type(module).__name__,
        getattr(module, "pooling_mode", None),
        type(getattr(module, "activation_function", None)).__name__,
        *(getattr(config, key, None) for key in ("model_type", "num_attention_heads", "hidden_act")),
        *(["prompt left out"] if getattr(module, "include_prompt", True) is False else []),
    ]


def with_longest(fingerprint: str, longest: float) -> str:
    """Return the digest of a model whose rows keep their lengths, up to the longest."""
    return hashlib.sha256(f"{fingerprint} longest {float(longest)!r}".encode()).hexdigest()[:16]
