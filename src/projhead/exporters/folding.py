"""Fold a linear head into a token table, for model2vec."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Dense, Normalize, StaticEmbedding
from torch import nn


def foldable(student: SentenceTransformer) -> bool:
    """Say whether a student is a table of tokens behind which all is linear: the mean of rows passes through that."""
    behind: list[Any] = list(student)[1:]
    return isinstance(student[0], StaticEmbedding) and all(
        isinstance(module, Normalize)
        or (
            isinstance(module, Dense)
            and "linear.bias" not in module.state_dict()
            and isinstance(module.activation_function, nn.Identity)
        )
        for module in behind
    )


def folded(student: SentenceTransformer) -> SentenceTransformer:
    """Return a foldable student as one table (v, k) and `Normalize`.

    Rows are the student's, but of texts with tokens that the vocabulary lacks: those say nothing here, for model2vec
    leaves them out.
    """
    table: Any = student[0]
    rows = table.embedding.weight.detach().cpu()
    for module in list(student)[1:]:
        if isinstance(module, Dense):
            rows = rows @ module.linear.weight.detach().cpu().T
    rows = rows.contiguous()
    if (unknown := _unknown(table.tokenizer)) is not None:
        rows[unknown] = 0
    prompts: Any = student.prompts
    return SentenceTransformer(
        modules=[StaticEmbedding(table.tokenizer, embedding_weights=rows), Normalize()],
        device="cpu",
        prompts=prompts,
        default_prompt_name=student.default_prompt_name,
        similarity_fn_name=student.similarity_fn_name,
    )


def write_model2vec_layout(student: SentenceTransformer, folder: Path) -> None:
    """Add the names by which model2vec loads a token table that `save_pretrained` wrote."""
    path = folder / "model.safetensors"
    rows: torch.Tensor = load_file(path)["embedding.weight"]
    save_file({"embeddings": rows}, path)
    table: Any = student[0]
    config = {
        "model_type": "model2vec",
        "architectures": ["StaticModel"],
        "hidden_dim": rows.shape[1],
        "normalize": True,
        "max_length": (table.tokenizer.truncation or {}).get("max_length"),
        "embedding_dtype": str(rows.dtype).removeprefix("torch."),
    }
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")


def hide_table(folder: Path) -> None:
    """Move a token table to where model2vec does not look: it would read the table without its head."""
    path = folder / "modules.json"
    entries = json.loads(path.read_text(encoding="utf-8"))
    place = folder / "0_Table"
    place.mkdir()
    for name in ("model.safetensors", "tokenizer.json"):
        (folder / entries[0]["path"] / name).rename(place / name)
    entries[0]["path"] = place.name
    path.write_text(json.dumps(entries, indent=2) + "\n", encoding="utf-8")


def _unknown(tokenizer: Any) -> int | None:
    """Return the number of the token that stands for what the vocabulary lacks, where there is one."""
    model = json.loads(tokenizer.to_str())["model"]
    found: int | None = model.get("unk_id")
    return tokenizer.token_to_id(model["unk_token"]) if model.get("unk_token") else found
