"""What consumers are given: a teacher with each form of head, exported in each way, and the rows that are right."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Normalize, StaticEmbedding
from tokenizers import Tokenizer
from torch import nn

from projhead import PCA, assemble, export, load_encoder
from projhead.corpora.docstrings import Docstrings
from projhead.heads.residual_mlp import ResidualMLP
from projhead.heads.rotation import Rotation
from projhead.vectors import Vectors

_WIDTH, _LIMIT = 64, 256
_FORMATS = {"modules": "sentence_transformers", "onnx": "onnx", "openvino": "openvino"}


class Subject(NamedTuple):
    """A written folder.

    Attributes
    ----------
    head, form : str
    folder : Path
    rows : ndarray of shape (n, k), float32
    whole : ndarray of shape (n,), bool
        Which texts are within the token limit.
    claims : dict of str to dict
        What its record claims, by consumer.
    """

    head: str
    form: str
    folder: Path
    rows: Vectors
    whole: NDArray[np.bool_]
    claims: dict[str, dict[str, Any]]


def texts() -> list[str]:
    """Return texts from one line to beyond what the teacher reads."""
    found = [one.text for one in islice(Docstrings().documents("all"), 3000)]
    found.sort(key=len)
    chosen = [found[at] for at in np.linspace(0, len(found) - 1, 39).astype(int)]
    return [*chosen, "word " * 600]


def students(given: list[str]) -> Iterator[tuple[str, SentenceTransformer]]:
    """Yield the student with each form of head."""
    teacher = load_encoder("all-MiniLM-L6-v2")
    noise = np.random.default_rng(0).normal(size=(400, 384)).astype(np.float32)
    rows = np.concatenate([teacher.encode(given), noise])
    for name, make, center in (
        ("linear", None, False),
        ("linear with a bias", None, True),
        ("residual MLP, ReLU", lambda: ResidualMLP(384, _WIDTH, 384), False),
        ("residual MLP, GELU", lambda: ResidualMLP(384, _WIDTH, 384, "gelu"), False),
        ("rotation, full width", lambda: Rotation(384, 384), False),
    ):
        reducer = PCA(384 if "full" in name else _WIDTH, center=center).fit(rows)
        if make is not None:
            torch.manual_seed(0)
            head = make()
            head.initialize(torch.from_numpy(reducer.components_).float())
            if isinstance(head, ResidualMLP):
                nn.init.normal_(head.output.weight, std=0.1)
                if head.hidden.bias is not None:
                    nn.init.normal_(head.hidden.bias, std=0.3)
            reducer.head_ = head.requires_grad_(False).eval()
        yield name, assemble(teacher.model, reducer)
    tokenizer = Tokenizer.from_str(teacher.model.tokenizer.backend_tokenizer.to_str())
    tokenizer.no_padding()
    tokenizer.enable_truncation(254)
    table = np.random.default_rng(1).normal(size=(tokenizer.get_vocab_size(), 384)).astype(np.float32)
    static = SentenceTransformer(
        modules=[StaticEmbedding(tokenizer, embedding_weights=table), Normalize()], device="cpu"
    )
    rows = np.concatenate([static.encode(given), noise])
    yield "table of tokens, linear", assemble(static, PCA(_WIDTH, center=False).fit(rows))


def subjects(root: Path, given: list[str]) -> Iterator[Subject]:
    """Write every folder that is not there yet."""
    root.mkdir(parents=True, exist_ok=True)
    (root / "texts.json").write_text(json.dumps(given))
    tokenizer = load_encoder("all-MiniLM-L6-v2").model.tokenizer
    whole = np.array([len(ids) for ids in tokenizer(given, truncation=True, max_length=_LIMIT)["input_ids"]]) < _LIMIT
    for head, student in students(given):
        rows = student.encode(given)
        static = isinstance(student[0], StaticEmbedding)
        for form, format in list(_FORMATS.items())[: 1 if static or "ReLU" not in head else 3]:
            folder = root / f"{head}-{form}".replace(" ", "_").replace(",", "")
            if not (folder / "export.json").is_file():
                export(student, folder, format=format, calibrate=given)
            record = json.loads((folder / "export.json").read_text())["body"]
            claims = {one["name"]: one for one in record["serves"]}
            yield Subject(head, "table" if static else form, folder.resolve(), rows, whole, claims)
