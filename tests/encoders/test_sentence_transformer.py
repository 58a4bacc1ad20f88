from __future__ import annotations

import copy
import shutil
from pathlib import Path

import huggingface_hub
import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer

from projhead.encoders.fingerprint import fingerprint_of
from projhead.encoders.load_model import check_tokens
from projhead.encoders.minilm import MiniLM, minilm_folder
from projhead.encoders.sentence_transformer import SentenceTransformerEncoder
from projhead.hub.fetch import hub_problem
from projhead.persistence.registry import build, spec_of

WORDS = "quick brown fox jumps over lazy dog seven big cats watch from their warm window seat"


def _texts(n: int) -> list[str]:
    generator, words = np.random.default_rng(0), WORDS.split()
    return [" ".join(generator.choice(words, size=generator.integers(1, 40))) + f" {i}" for i in range(n)]


def test_rows_are_those_of_the_stock_model_in_order(minilm: MiniLM) -> None:
    texts = _texts(24)
    stock = minilm.model.encode(texts, normalize_embeddings=True, batch_size=8)
    rows = minilm.encode(texts)
    assert rows.dtype == np.float32
    np.testing.assert_allclose(rows, stock, atol=1e-5)
    assert np.abs(rows - np.roll(stock, 1, axis=0)).max() > 0.05  # the order matters to this comparison


@pytest.mark.parametrize("budget", [1, 300])
def test_rows_do_not_depend_on_the_batches(minilm: MiniLM, budget: int, monkeypatch: pytest.MonkeyPatch) -> None:
    texts, seen = _texts(8), []
    expected = minilm.encode(texts)
    preprocess = minilm.model.preprocess

    def counted(batch: list[str], **options: object) -> dict[str, torch.Tensor]:
        features = preprocess(batch, **options)
        seen.append(features["input_ids"].shape)
        return features

    monkeypatch.setattr(minilm.model, "preprocess", counted)
    monkeypatch.setattr(minilm, "token_budget", budget)
    np.testing.assert_allclose(minilm.encode(texts), expected, atol=1e-5)
    assert sum(rows for rows, _ in seen) == 8
    assert all(rows * tokens <= budget or rows == 1 for rows, tokens in seen)


class Small(torch.nn.Module):
    """A GPU with memory for so many padded tokens."""

    def __init__(self, tokens: int) -> None:
        super().__init__()
        self.tokens, self.tried = tokens, []  # type: ignore[var-annotated]

    def forward(self, features: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        self.tried.append(features["input_ids"].numel())
        if self.tried[-1] > self.tokens:
            raise torch.OutOfMemoryError(f"out of memory with {self.tried[-1]} tokens")
        return features


def test_where_memory_does_not_suffice_smaller_batches_do(minilm: MiniLM) -> None:
    texts = _texts(24)
    small = Small(200)
    model = SentenceTransformer(modules=[minilm.model[0], small, *list(minilm.model)[1:]], device="cpu")
    encoder = copy.copy(minilm)
    encoder.model, encoder.token_budget = model, 1000
    np.testing.assert_allclose(encoder.encode(texts), minilm.encode(texts), atol=1e-5)
    assert encoder.token_budget == 1000  # what a record builds again is what was asked for
    assert sum(tokens > 200 for tokens in small.tried) <= 3  # 1,000, 500, 250
    before = list(small.tried)
    small.tried.clear()
    encoder.encode(texts)
    assert small.tried == before, "what memory refused changes the batches, and so the bits, of later texts"

    small.tokens = 5
    with pytest.raises(torch.OutOfMemoryError, match="out of memory with"):
        encoder.encode(texts)


@pytest.mark.parametrize(
    ("odd", "like"),
    [
        ("", ""),
        (" \t\n ", ""),
        ("word " * 100_000, "word " * 62),  # read up to the limit of 64 tokens, two of them marks
        ("a\x00b\x1b[0m\x7fc", "ab[0mc"),  # the tokenizer drops control characters
        ("lone \ud800 surrogate", "lone ? surrogate"),
        ("e\u0301", "é"),
    ],
)
def test_odd_texts_get_the_row_of_what_the_model_reads(minilm: MiniLM, odd: str, like: str) -> None:
    rows = minilm.encode([odd, "another text beside it", like])
    np.testing.assert_allclose(rows[0], rows[2], atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)
    assert rows[0] @ rows[1] < 0.9


def test_no_texts_and_no_list(minilm: MiniLM) -> None:
    assert minilm.encode([]).shape == (0, 384)
    with pytest.raises(TypeError, match="expected a list of str, got str 'one text'"):
        minilm.encode("one text")
    with pytest.raises(TypeError, match="got NoneType None"):
        minilm.encode(["a", None])  # type: ignore[list-item]


def test_meaning_is_kept(minilm: MiniLM) -> None:
    query, near, far = minilm.encode(
        ["How do I read a file line by line?", "Iterating over the lines of a text file.", "Bananas are yellow."]
    )
    assert query @ near > query @ far + 0.3


def test_a_fingerprint_is_of_what_decides_the_vectors(minilm: MiniLM, tmp_path: Path) -> None:
    expected = fingerprint_of(minilm.model)
    assert expected == minilm.identity.fingerprint
    minilm.model.save_pretrained(str(tmp_path / "copy"), create_model_card=False)
    copy = SentenceTransformerEncoder(str(tmp_path / "copy"), device="cpu", max_seq_length=64)
    assert copy.identity.fingerprint == expected
    assert copy.name == "copy"
    np.testing.assert_allclose(copy.encode(["a text"]), minilm.encode(["a text"]), atol=1e-6)

    copy.model.max_seq_length = 63
    assert fingerprint_of(copy.model) != expected
    copy.model.max_seq_length = 64
    copy.model[1].pooling_mode = "cls"
    assert fingerprint_of(copy.model) != expected
    copy.model[1].pooling_mode = "mean"
    assert fingerprint_of(copy.model) == expected
    with torch.no_grad():
        next(copy.model.parameters())[5, 5] += 1e-3
    assert fingerprint_of(copy.model) != expected


def test_a_record_builds_the_same_encoder_from_anywhere(
    minilm: MiniLM, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    folder = minilm_folder()
    monkeypatch.chdir(folder.parent)
    encoder = SentenceTransformerEncoder(folder.name, device="cpu", max_seq_length=64, token_budget=100)
    monkeypatch.chdir(tmp_path)
    again = build(spec_of(encoder), "encoder")
    assert (again.identity, again.token_budget, again.path) == (minilm.identity, 100, str(folder))


def test_what_is_no_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="none: expected the folder of a model; no such folder"):
        SentenceTransformerEncoder(str(tmp_path / "none"))
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(ValueError, match="expected a model that sentence-transformers loads; "):
        SentenceTransformerEncoder(str(tmp_path), device="cpu")
    with pytest.raises(ValueError, match="positive number of tokens, got 0"):
        SentenceTransformerEncoder(str(tmp_path), max_seq_length=0)


def test_a_damaged_model_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(minilm_folder(), folder)
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(ValueError, match="expected a model that sentence-transformers loads; "):
        SentenceTransformerEncoder(str(folder), device="cpu")


def test_a_hub_that_cannot_be_reached_is_told_at_once_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def refuse(*args: object, **options: object) -> None:
        asked.append(options["revision"])
        raise ConnectionError("Name or service not known\nand more")

    monkeypatch.setattr(huggingface_hub.HfApi, "model_info", refuse)
    with pytest.raises(FileNotFoundError, match=r"Name or service not known; .*encoder.path=<folder>") as caught:
        SentenceTransformerEncoder("owner/not-downloaded", revision="abc")
    assert asked == ["abc"]
    assert "\n" not in str(caught.value)
    assert hub_problem("owner/name", None) == "Name or service not known"


def test_attention_is_computed_as_asked(teacher: SentenceTransformerEncoder) -> None:
    texts = _texts(12)
    for attention in ("eager", "sdpa"):
        asked = SentenceTransformerEncoder(teacher.path, device="cpu", attention=attention)
        assert asked.model[0].auto_model.config._attn_implementation == attention  # type: ignore[union-attr]
        np.testing.assert_allclose(asked.encode(texts), teacher.encode(texts), atol=1e-5)
        assert asked.identity == teacher.identity
    with pytest.raises(ValueError, match=r"a model that sentence-transformers loads; .*no_such_attention"):
        SentenceTransformerEncoder(teacher.path, device="cpu", attention="no_such_attention")


def test_more_tokens_than_positions_and_a_tokenizer_that_cannot_pad_are_refused(
    small: SentenceTransformerEncoder, tmp_path: Path
) -> None:
    assert SentenceTransformerEncoder(small.path, device="cpu", max_seq_length=512).max_seq_length == 512
    with pytest.raises(ValueError, match=r"max_seq_length: got 513, expected at most 512, the positions"):
        SentenceTransformerEncoder(small.path, device="cpu", max_seq_length=513)
    model = SentenceTransformer(small.path, device="cpu")
    model.tokenizer.pad_token = None
    with pytest.raises(ValueError, match="without a padding token"):
        check_tokens(small.path, model, None)
