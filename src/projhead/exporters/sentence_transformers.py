"""A folder that stock sentence-transformers loads, the head inside as stock modules."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import StaticEmbedding

from projhead.encoders.load_model import no_weight_bars
from projhead.encoders.sentence_transformer import SentenceTransformerEncoder
from projhead.exporters.folding import foldable, folded, hide_table, write_model2vec_layout
from projhead.exporters.layout import write_long_lived
from projhead.exporters.parity import both_sides
from projhead.exporters.tracing import asks_for_side
from projhead.vectors import Vectors

#: Precisions, and the mean cosine that each reaches with room to spare.
_DTYPES = {"float32": 0.99999, "float16": 0.9999, "bfloat16": 0.999}

#: What a card says of a student that keeps lengths.
_USAGE_OF_LIFTED = """
from projhead import load_encoder  # pip install projhead: no stock module keeps the lengths of rows

model = load_encoder(folder)
rows = model.encode_document(texts)  # of queries: encode_query
"""

#: What the network's weights can be.
Quantization = Literal["float32", "float16", "bfloat16"]


class SentenceTransformersFolder:
    """Transformer, Pooling, Normalize, Dense..., Normalize; safetensors, no code of projhead.

    A table of tokens with a linear head is folded to one table, which model2vec loads too.
    Of a teacher whose lengths matter `projhead.encoders.lift.Lift` stands in place of the first Normalize, and projhead
    loads the folder.

    Parameters
    ----------
    quantization : {"float32", "float16", "bfloat16"}
        How weights are stored. They are computed with in float32, as stock loaders on a CPU should, unless another is
        asked for: ``SentenceTransformer(folder, model_kwargs={"dtype": "float16"})``.

    Raises
    ------
    ValueError
        If the quantization is another.
    """

    title = "A sentence-transformers model with the projection head inside, as stock Dense modules"
    usage = """
texts = ["a text", "another"]

from sentence_transformers import SentenceTransformer

model = SentenceTransformer(folder)
rows = model.encode_document(texts)  # of queries: encode_query
"""
    encoder = SentenceTransformerEncoder
    form = "modules"

    def __init__(self, quantization: Quantization = "float32") -> None:
        if quantization not in _DTYPES:
            raise ValueError(f"quantization: expected one of {', '.join(_DTYPES)}, got {quantization!r}")
        self.quantization = quantization
        self.min_mean_cosine = _DTYPES[quantization]
        if quantization != "float32":
            asked = f'SentenceTransformer(folder, model_kwargs={{"dtype": "{quantization}"}})'
            self.usage += f"# Stored in {quantization}, computed in float32 here; otherwise: {asked}\n"

    def write(
        self, subject: SentenceTransformer, folder: Path, items: Sequence[str]
    ) -> Callable[[Sequence[str]], Vectors]:
        """Write a student into the existing empty `folder`; return what reads the folder back."""
        table, whole = isinstance(subject[0], StaticEmbedding), foldable(subject)
        # A copy: the network is the teacher's too.
        student = (folded(subject) if whole else copy.deepcopy(subject)).to(getattr(torch, self.quantization))
        with no_weight_bars():
            student.save_pretrained(str(folder), create_model_card=False)
        write_long_lived(student, folder)
        if asks_for_side(student):
            self.usage = _USAGE_OF_LIFTED
        if self.quantization != "float32":
            _compute_in_float32(folder / "config.json")
        if table:
            write_model2vec_layout(student, folder) if whole else hide_table(folder)
        return both_sides(SentenceTransformerEncoder(str(folder), device="cpu", local_files_only=True))


def _compute_in_float32(path: Path) -> None:
    """Say so in the network's config: versions differ in whether the modules behind it follow another precision."""
    if path.is_file():
        config = json.loads(path.read_text(encoding="utf-8"))
        path.write_text(json.dumps({**config, "dtype": "float32"}, indent=2) + "\n", encoding="utf-8")
