from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Normalize, StaticEmbedding
from tokenizers import Tokenizer

from projhead.encoders.sentence_transformer import SentenceTransformerEncoder
from projhead.exporters.by_format import export
from projhead.reducers.pca import PCA
from projhead.students.assemble import assemble
from projhead.vectors import Vectors

TEXTS = [
    f"{a} owl {b} the {c}"
    for a in ("red", "old", "loud")
    for b in ("under", "near")
    for c in ("inn", "road", "tower", "farm")
]


@pytest.fixture(scope="module")
def model(teacher: SentenceTransformerEncoder) -> SentenceTransformer:
    tokenizer = Tokenizer.from_str(teacher.model.tokenizer.backend_tokenizer.to_str())
    tokenizer.enable_truncation(20)
    rows = np.random.default_rng(0).normal(size=(tokenizer.get_vocab_size(), 24)).astype(np.float32)
    return SentenceTransformer(modules=[StaticEmbedding(tokenizer, embedding_weights=rows), Normalize()], device="cpu")


def as_model2vec(folder: Path, texts: list[str]) -> Vectors:
    """Do as model2vec does, by its published rule: the mean of the known tokens' rows, made unit length."""
    config = json.loads((folder / "config.json").read_text())
    rows = load_file(folder / "model.safetensors")["embeddings"]
    tokenizer: Any = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.enable_truncation(config["max_length"])
    unknown = tokenizer.token_to_id(tokenizer.model.unk_token)
    numbers = [one.ids for one in tokenizer.encode_batch(texts, add_special_tokens=False)]
    means = np.stack([rows[[n for n in one if n != unknown]].mean(0) for one in numbers])
    assert config["normalize"]
    return means / np.linalg.norm(means, axis=1, keepdims=True)


def test_a_linear_head_goes_into_the_table(model: SentenceTransformer, tmp_path: Path) -> None:
    student = assemble(model, PCA(6, center=False).fit(model.encode(TEXTS)))
    record = export(student, tmp_path / "st", format="sentence_transformers", calibrate=TEXTS * 2, serve=["model2vec"])
    assert record["parity"]["worst_cosine"] > 0.999999
    expected = student.encode([*TEXTS, "owl " * 30 + "boat"])
    texts = [*TEXTS, "owl " * 30 + "boat"]
    np.testing.assert_allclose(as_model2vec(tmp_path / "st", texts), expected, atol=1e-6)
    stock = SentenceTransformer(str(tmp_path / "st"), device="cpu")
    np.testing.assert_allclose(stock.encode(texts), expected, atol=1e-6)
    assert len(stock) == 2
    # A token that the vocabulary lacks is left out, as model2vec has it.
    np.testing.assert_allclose(stock.encode(["owl zebra inn"]), student.encode(["owl inn"]), atol=1e-6)


def test_a_head_that_cannot_go_in_stays_where_model2vec_does_not_find_half_of_it(
    model: SentenceTransformer, tmp_path: Path
) -> None:
    student = assemble(model, PCA(6).fit(model.encode(TEXTS)))  # centered: a bias
    with pytest.raises(
        ValueError, match="serve: model2vec cannot serve this folder exactly: student=static with head="
    ):
        export(student, tmp_path / "st", format="sentence_transformers", calibrate=TEXTS * 2, serve=["model2vec"])
    export(student, tmp_path / "st", format="sentence_transformers", calibrate=TEXTS * 2)
    for place in (tmp_path / "st", tmp_path / "st" / "0_StaticEmbedding"):
        assert not (place / "model.safetensors").exists()
    stock = SentenceTransformer(str(tmp_path / "st"), device="cpu")
    np.testing.assert_allclose(stock.encode(TEXTS), student.encode(TEXTS), atol=1e-6)
