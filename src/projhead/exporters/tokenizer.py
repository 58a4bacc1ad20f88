"""Write a student's tokenizer beside its graph, with truncation, padding and prompts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Pooling
from tokenizers import Tokenizer

from projhead.encoders.graph import PROMPTS
from projhead.encoders.sides import prompt_of
from projhead.exporters.table import bare_tokenizer


def prompts_of(student: SentenceTransformer) -> dict[str, str]:
    """Return what the student puts before every text, by its entry in a graph's metadata.

    Raises
    ------
    ValueError
        If one graph of tokens cannot do as the student does with the two sides.
    """
    prompts = {entry: prompt_of(student, side) for side, entry in PROMPTS.items()}
    if any(prompts.values()) and any(isinstance(one, Pooling) and not one.include_prompt for one in student):
        raise ValueError(
            "the student leaves its prompt out of pooling, and a graph of tokens does not know where a prompt ends; "
            "export=sentence_transformers keeps it"
        )
    return prompts


def fast_tokenizer(student: SentenceTransformer) -> Tokenizer:
    """Return the student's tokenizer as the package tokenizers runs it, which cuts and pads by itself.

    Raises
    ------
    ValueError
        If the package tokenizers cannot run it.
    """
    stock: Any = student.tokenizer
    if isinstance(stock, Tokenizer):
        return bare_tokenizer(stock)
    backend = getattr(stock, "backend_tokenizer", None)
    if backend is None:
        raise ValueError(f"expected a tokenizer that the package tokenizers runs, got {type(stock).__name__}")
    tokenizer = Tokenizer.from_str(backend.to_str())
    if (limit := _limit(student)) is None:
        tokenizer.no_truncation()
    else:
        tokenizer.enable_truncation(limit, direction=stock.truncation_side)
    tokenizer.enable_padding(
        direction=stock.padding_side,
        pad_id=stock.pad_token_id,
        pad_type_id=stock.pad_token_type_id,
        pad_token=stock.pad_token,
    )
    return tokenizer


def write_tokenizer(student: SentenceTransformer, folder: Path) -> Tokenizer:
    """Write the tokenizer's files, which cut and pad by themselves, and the network's config that other tools read."""
    stock: Any = student.tokenizer
    tokenizer = fast_tokenizer(student)
    if isinstance(stock, Tokenizer):  # of a table, which has no other settings
        tokenizer.save(str(folder / "tokenizer.json"))
        return tokenizer
    stock.save_pretrained(folder)
    tokenizer.save(str(folder / "tokenizer.json"))
    config = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))
    config.pop("max_length", None)  # of the teacher's training: some readers would cut there
    config["model_max_length"] = _limit(student) or stock.model_max_length
    special = {name: str(token) for name, token in stock.special_tokens_map.items() if isinstance(token, str)}
    for name, content in (("tokenizer_config.json", config), ("special_tokens_map.json", special)):
        (folder / name).write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    _write_vocabulary(tokenizer, folder)
    network: Any = student[0]
    network.auto_model.config.to_json_file(folder / "config.json")
    return tokenizer


def _limit(student: SentenceTransformer) -> int | None:
    """Return the tokens of a text that are read; transformers writes a number beyond all bounds for no limit."""
    limit = student.max_seq_length
    return limit if limit is not None and limit < 1_000_000 else None


def _write_vocabulary(tokenizer: Tokenizer, folder: Path) -> None:
    """Write ``vocab.txt``, which tools with tokenizers of their own read, where tokens are word pieces."""
    if json.loads(tokenizer.to_str())["model"]["type"] == "WordPiece":
        pieces = sorted(tokenizer.get_vocab().items(), key=lambda pair: pair[1])
        (folder / "vocab.txt").write_text("".join(f"{piece}\n" for piece, _ in pieces), encoding="utf-8")
