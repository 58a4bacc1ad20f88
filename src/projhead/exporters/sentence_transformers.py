"""A folder that stock sentence-transformers loads."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from sentence_transformers import SentenceTransformer

from projhead.encoders.sentence_transformer import SentenceTransformerEncoder
from projhead.vectors import Vectors

_DTYPES = {"float32": 0.99999, "float16": 0.9999, "bfloat16": 0.998}


class SentenceTransformersFolder:
    """Transformer, Pooling, Normalize, Dense..., Normalize; safetensors, no code of projhead.

    Parameters
    ----------
    dtype : {"float32", "float16", "bfloat16"}
        Of the weights.

    Raises
    ------
    ValueError
        If the dtype is another.
    """

    title = "A sentence-transformers model with the projection head inside, as stock Dense modules"
    usage = """
from sentence_transformers import SentenceTransformer

model = SentenceTransformer("path/to/this/folder")
rows = model.encode(["a text", "another"])
"""
    head_only = False

    def __init__(self, dtype: str = "float32") -> None:
        if dtype not in _DTYPES:
            raise ValueError(f"dtype: expected one of {', '.join(_DTYPES)}, got {dtype!r}")
        self.dtype = dtype
        self.min_mean_cosine = _DTYPES[dtype]

    def write(
        self, subject: SentenceTransformer, folder: Path, items: Sequence[str]
    ) -> Callable[[Sequence[str]], Vectors]:
        """Write a student; return what reads the folder back."""
        student = copy.deepcopy(subject).to(getattr(torch, self.dtype))
        student.save_pretrained(str(folder), create_model_card=False)
        return SentenceTransformerEncoder(str(folder), device="cpu", local_files_only=True).encode
