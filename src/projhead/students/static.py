"""A student without attention: the mean of token vectors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Normalize, StaticEmbedding
from tokenizers import Tokenizer
from tqdm import tqdm

from projhead.encoders.sentence_transformer import SentenceTransformerEncoder
from projhead.encoders.texts import clean_texts
from projhead.protocols import Encoder
from projhead.settings.ranges import Positive
from projhead.vectors import Vectors, unit_rows

#: Tokens whose vectors are computed at once, and texts whose tokens are counted.
_BLOCK = 1024


class Static:
    """Every token of the teacher's vocabulary through the teacher, alone, and each weighed by how rare it is.

    The start of model2vec (Tulkens and van Dongen, "Model2Vec", 2024); the weights are those of Arora et al., "A Simple
    but Tough-to-Beat Baseline for Sentence Embeddings", 2017, by the training texts' own counts.

    Parameters
    ----------
    rarity : float, default=1e-3
        A token that makes up a share p of the texts weighs ``rarity / (rarity + p)``.
    """

    #: The network's rows are to be the teacher's.
    aligned = True

    def __init__(self, rarity: Positive = 1e-3) -> None:
        self.rarity = rarity
        if not rarity > 0:
            raise ValueError(f"rarity: expected a positive number, got {rarity}")

    def __call__(self, teacher: Encoder, texts: Sequence[str]) -> SentenceTransformer:
        """Return the table as a stock model, weighed by the texts' tokens.

        Raises
        ------
        ValueError
            If the teacher is no sentence-transformers model with a tokenizer of the package tokenizers.
        """
        backend = getattr(getattr(getattr(teacher, "model", None), "tokenizer", None), "backend_tokenizer", None)
        if not isinstance(teacher, SentenceTransformerEncoder) or backend is None:
            raise ValueError(
                "student=static: expected a sentence-transformers teacher with a tokenizer of the package tokenizers, "
                f"got {teacher.name}; student=pretrained takes any teacher"
            )
        tokenizer = Tokenizer.from_str(backend.to_str())
        tokenizer.no_padding()  # it was set for texts that the teacher encoded, and padding is no token to count
        prefix, suffix = _marks(teacher.model.tokenizer)
        if (limit := teacher.model.max_seq_length) is not None:
            tokenizer.enable_truncation(limit - len(prefix) - len(suffix))  # read what the teacher reads
        table = _token_rows(teacher, prefix, suffix, tokenizer.get_vocab_size())
        share = _shares(tokenizer, texts, len(table))
        table *= (self.rarity / (self.rarity + share))[:, None]
        return SentenceTransformer(
            modules=[StaticEmbedding(tokenizer, embedding_weights=table), Normalize()],
            device=str(teacher.model.device),
            prompts=teacher.model.prompts.copy(),  # type: ignore[arg-type]
            default_prompt_name=teacher.model.default_prompt_name,
            similarity_fn_name="cosine",
        )


def _token_rows(
    teacher: SentenceTransformerEncoder, prefix: Sequence[int], suffix: Sequence[int], size: int
) -> Vectors:
    """Return the teacher's unit rows (v, d) of texts of one token each."""
    model = teacher.model.eval()
    rows = np.empty((size, teacher.dimension), np.float32)
    with torch.inference_mode(), tqdm(total=size, desc="token table", unit="token") as bar:
        for start in range(0, size, _BLOCK):
            block = range(start, min(start + _BLOCK, size))
            ids = torch.tensor([[*prefix, token, *suffix] for token in block], device=model.device)
            example = model.preprocess(["a"])
            known = {"input_ids": ids, "attention_mask": torch.ones_like(ids), "token_type_ids": torch.zeros_like(ids)}
            features = {**example, **{name: value for name, value in known.items() if name in example}}
            rows[start : block.stop] = model(features)["sentence_embedding"].float().cpu().numpy()
            bar.update(len(block))
    return unit_rows(rows, "token vectors")


def _marks(tokenizer: Any) -> tuple[list[int], list[int]]:
    """Return the tokens that the tokenizer puts before and after every text."""
    bare = tokenizer("a", add_special_tokens=False)["input_ids"]
    whole = tokenizer("a")["input_ids"]
    first = next(i for i in range(len(whole)) if whole[i : i + len(bare)] == bare)
    return whole[:first], whole[first + len(bare) :]


def _shares(tokenizer: Tokenizer, texts: Sequence[str], size: int) -> Vectors:
    """Return which share of the texts' tokens each token makes up."""
    counts = np.zeros(size)
    for start in range(0, len(texts), _BLOCK):
        for encoded in tokenizer.encode_batch(clean_texts(texts[start : start + _BLOCK]), add_special_tokens=False):
            np.add.at(counts, encoded.ids, 1)
    shares: Vectors = (counts / max(counts.sum(), 1)).astype(np.float32)
    return shares
