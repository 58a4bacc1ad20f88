"""A teacher of random weights, four layers of width 32, that reads words of its own, and texts of those."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Normalize, Pooling, Transformer
from transformers import BertConfig, BertModel, BertTokenizerFast

from projhead.encoders.sentence_transformer import SentenceTransformerEncoder
from projhead.heads.residual_mlp import ResidualMLP
from projhead.losses.neighbour_kl import NeighbourKL
from projhead.protocols import Encoder
from projhead.reducers.learned import LearnedReducer
from projhead.students.distil import Distilled, Start, Texts

WORDS = [
    *("boat", "owl", "inn", "road", "drum", "lamp", "farm", "tower", "red", "old", "small", "loud"),
    *("near", "under", "over", "beside", "a", "the", "is", "was"),
]
MARKS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "##s", "."]


def bert(folder: Path, layers: int, width: int, seed: int) -> SentenceTransformerEncoder:
    """Write a BERT of random weights with a word-piece tokenizer, and load it."""
    network = folder / "network"
    network.mkdir(parents=True)
    (network / "vocab.txt").write_text("\n".join([*MARKS, *WORDS]))
    torch.manual_seed(seed)
    BertModel(
        BertConfig(
            vocab_size=len(MARKS) + len(WORDS), hidden_size=width, num_hidden_layers=layers, num_attention_heads=2,
            intermediate_size=2 * width, initializer_range=0.1,
        )
    ).save_pretrained(network)  # fmt: skip
    BertTokenizerFast(vocab=str(network / "vocab.txt")).save_pretrained(network)
    modules = [Transformer(str(network), max_seq_length=24), Pooling(width), Normalize()]
    SentenceTransformer(modules=modules, device="cpu").save_pretrained(str(folder / "model"), create_model_card=False)
    return SentenceTransformerEncoder(str(folder / "model"), device="cpu")


@pytest.fixture(scope="session")
def teacher(tmp_path_factory: pytest.TempPathFactory) -> SentenceTransformerEncoder:
    return bert(tmp_path_factory.mktemp("teacher"), 4, 32, 0)


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> SentenceTransformerEncoder:
    """Another encoder, of one layer of width 16."""
    return bert(tmp_path_factory.mktemp("small"), 1, 16, 1)


@pytest.fixture(scope="session")
def data(teacher: SentenceTransformerEncoder) -> Texts:
    """300 documents of up to 20 words, 200 queries of up to 4, each on three words only, and the teacher's vectors."""
    generator = np.random.default_rng(0)

    def draw(low: int, high: int) -> str:
        return " ".join(generator.choice(generator.choice(WORDS, size=3), size=generator.integers(low, high)))

    documents, queries = [draw(3, 21) for _ in range(300)], [draw(2, 5) for _ in range(200)]
    return Texts(documents, teacher.encode(documents), queries, teacher.encode(queries))


@pytest.fixture(scope="session")
def reducer(data: Texts) -> LearnedReducer:
    """The teacher's head, 32 to 8, whose first 4 serve alone too."""
    head = partial(ResidualMLP, hidden_features=16)
    return LearnedReducer(8, nested=[4], head=head, n_documents=64, max_steps=30).fit(data.rows)


@pytest.fixture(scope="session")
def distilled() -> Callable[..., Distilled]:
    """Return what makes a distillation of a moment from a start."""

    def make(start: Start, *, steps: int = 40, rate: float = 3e-3, **changed: object) -> Distilled:
        settings = {
            "loss": NeighbourKL(),
            "optimizer": partial(torch.optim.AdamW, lr=rate, weight_decay=0.0),
            "trainer": partial(
                pl.Trainer, max_steps=steps, accelerator="cpu", devices=1, enable_progress_bar=False,
                enable_model_summary=False, enable_checkpointing="callbacks" in changed,
            ),
            "row_weight": 1.0, "max_tokens": 16, "token_budget": 512, "n_documents": 128, "near": 4, "depth": 8,
            "steps_per_epoch": 10, "validation_rows": 64,
        }  # fmt: skip
        return Distilled(start, **(settings | changed))

    return make


@pytest.fixture(scope="session")
def overlap(data: Texts) -> Callable[[Encoder, LearnedReducer], float]:
    """Return what counts how many of the teacher's 10 documents nearest to each query a student's reduced rows find."""

    def found(encoder: Encoder, fitted: LearnedReducer) -> float:
        queries, documents = (fitted.transform(encoder.encode(texts)) for texts in (data.queries, data.documents))
        pairs = ((queries, documents), (np.asarray(data.query_rows), data.rows))
        student, teacher = (np.argsort(-(q @ d.T), axis=1)[:, :10] for q, d in pairs)
        return float(np.mean([len(set(a) & set(b)) / 10 for a, b in zip(student, teacher, strict=True)]))

    return found
