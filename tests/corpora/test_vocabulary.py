from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import huggingface_hub
import pytest
from tokenizers import Tokenizer, models

from projhead.corpora.vocabulary import Vocabulary

WORDS = ["harbour", "violin", "garden"]


def _write(path: Path, model: Any) -> str:
    Tokenizer(model).save(str(path))
    return str(path)


@pytest.mark.parametrize(
    "model",
    [
        models.WordPiece(
            {"[UNK]": 0, "violin": 1, "##our": 2, "garden": 3, "Harbour": 4, "of": 5, "1984": 6, "it's": 7}
        ),
        models.BPE(vocab={"Ġviolin": 0, "our": 1, "Ġgarden": 2, "ĠHarbour": 3, "rest": 4, "Ġof": 5}, merges=[]),
        models.Unigram([("<unk>", 0.0), ("▁violin", -1.0), ("▁garden", -2.0), ("▁harbour", -3.0), ("rest", -4.0)], 0),
    ],
    ids=["wordpiece", "bpe", "unigram"],
)
def test_words_are_the_tokens_that_begin_one(tmp_path: Path, model: Any) -> None:
    _write(tmp_path / "tokenizer.json", model)
    assert Vocabulary(str(tmp_path)).words() == sorted(WORDS)
    assert Vocabulary(str(tmp_path / "tokenizer.json")).words() == sorted(WORDS)


def test_each_word_comes_alone_and_in_bags_that_the_seed_decides(tmp_path: Path) -> None:
    path = _write(tmp_path / "t.json", models.WordPiece({word: i for i, word in enumerate(["[UNK]", *WORDS])}))
    corpus = Vocabulary(path, bags=2)
    texts = [document.text for document in corpus.documents("all")]
    assert texts[:3] == sorted(WORDS)
    assert len(texts) == 9
    for text, first in zip(texts[3:], sorted(WORDS) * 2, strict=True):
        assert text.split()[0] == first
        assert set(text.split()) <= set(WORDS)
        assert 3 <= len(text.split()) <= 9
    assert {word for text in texts[3:] for word in text.split()[1:]} == set(WORDS)
    ids = [document.id for document in corpus.documents("all")]
    assert len(set(ids)) == len(ids)
    assert texts == [document.text for document in corpus.documents("all")]
    assert texts[3:] != [document.text for document in Vocabulary(path, bags=2, seed=1).documents("all")][3:]


def test_the_embedded_teachers_words_are_many_and_split() -> None:
    corpus = Vocabulary()
    assert len(corpus.words()) > 20_000
    assert {"violin", "genome", "turbulence"} <= set(corpus.words())
    train, test = ({document.text for document in corpus.documents(split)} for split in ("train", "test"))
    assert not train & test
    assert 0.08 < len(test) / len(train) < 0.14


@pytest.mark.parametrize("content", ["[]", "{", '{"model": {"type": "BPE"}}', '{"model": {"type": "X", "vocab": [1]}}'])
def test_a_file_that_is_no_tokenizer_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "tokenizer.json").write_text(content)
    with pytest.raises(ValueError, match=r"tokenizer\.json: expected a tokenizer of the tokenizers library, got"):
        Vocabulary(str(tmp_path)).words()


def test_a_tokenizer_of_bytes_alone_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "tokenizer.json"
    path.write_text(json.dumps({"model": {"type": "BPE", "vocab": {"a": 0, "##b": 1}}}))
    with pytest.raises(ValueError, match="expected words of at least 3 letters among its tokens, got none"):
        Vocabulary(str(path)).words()


def test_a_hub_that_does_not_answer_is_told_with_what_was_expected(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: Any, **options: Any) -> None:
        raise ConnectionError("Name or service not known\nand more")

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", refuse)
    with pytest.raises(
        FileNotFoundError, match=r"owner/model: expected a tokenizer\.json, .* Name or service not known$"
    ):
        Vocabulary("owner/model").words()
