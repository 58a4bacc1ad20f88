"""Graphs in tools that pool by themselves; optimum, which is not here, has a stand-in that does as it does."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from sentence_transformers import SentenceTransformer

from projhead.exporters.export import write_export
from projhead.exporters.onnx import Onnx
from projhead.vectors import Vectors

pytestmark = pytest.mark.slow


class OrtModel:
    """Of optimum's ``ORTModelForFeatureExtraction``: what is loaded, and the one output that it takes by name."""

    loaded: Path

    def __init__(self, config: Any, path: Path) -> None:
        self.config, OrtModel.loaded = config, path
        self.session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])

    @classmethod
    def from_pretrained(
        cls, path: str, *, config: Any, export: bool, file_name: str, subfolder: str, **kwargs: Any
    ) -> Any:
        assert not export
        return cls(config, Path(path) / subfolder / file_name)

    def _save_pretrained(self) -> None: ...

    def forward(
        self, input_ids: torch.Tensor, attention_mask: torch.Tensor, *, return_dict: bool
    ) -> dict[str, torch.Tensor]:
        assert return_dict
        feed = {"input_ids": input_ids.numpy(), "attention_mask": attention_mask.numpy()}
        return {"last_hidden_state": torch.from_numpy(self.session.run(["last_hidden_state"], feed)[0])}

    __call__ = forward


@pytest.fixture
def optimum(monkeypatch: pytest.MonkeyPatch) -> None:
    module: Any = ModuleType("optimum.onnxruntime")
    module.ONNX_WEIGHTS_NAME = "model.onnx"
    for task in ("CausalLM", "FeatureExtraction", "MaskedLM", "SequenceClassification"):
        setattr(module, f"ORTModelFor{task}", OrtModel)
    monkeypatch.setitem(sys.modules, "optimum", ModuleType("optimum"))
    monkeypatch.setitem(sys.modules, "optimum.onnxruntime", module)


@pytest.fixture(scope="module")
def asking(tiny: SentenceTransformer) -> SentenceTransformer:
    return SentenceTransformer(
        modules=list(tiny),
        device="cpu",
        prompts={"query": "question: ", "document": "drum "},
        default_prompt_name="query",
    )


@pytest.fixture(scope="module")
def folder(asking: SentenceTransformer, texts: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("stock") / "onnx"
    write_export(
        Onnx(),
        asking,
        path,
        texts,
        np.stack([asking.encode_query(texts), asking.encode_document(texts)]),
        teacher=None,
        reducer="pca",
    )
    return path


@pytest.mark.usefixtures("optimum")
def test_the_stock_backend_gives_the_students_rows_with_its_prompt(
    folder: Path, asking: SentenceTransformer, tiny: SentenceTransformer, texts: list[str]
) -> None:
    reference = asking.encode(texts)
    assert np.abs(reference - tiny.encode(texts)).max() > 0.01  # the prompt matters
    stock = SentenceTransformer(str(folder), backend="onnx", device="cpu")
    assert OrtModel.loaded == folder / "onnx" / "model.onnx"
    np.testing.assert_allclose(stock.encode(texts), reference, atol=1e-5)
    for side in ("encode_query", "encode_document"):
        np.testing.assert_allclose(getattr(stock, side)(texts), getattr(asking, side)(texts), atol=1e-5)
    assert (stock.max_seq_length, stock.similarity_fn_name) == (48, "cosine")


def _pooled(hidden: Vectors, mask: np.ndarray, how: str) -> Vectors:
    if how == "cls":
        return hidden[:, 0]
    if how == "last":
        return hidden[np.arange(len(hidden)), mask.sum(1) - 1]
    if how == "max":
        return np.where(mask[..., None] == 1, hidden, -np.inf).max(1)
    return (hidden * mask[..., None]).sum(1) / mask.sum(1, keepdims=True)


@pytest.mark.parametrize("how", ["mean", "cls", "last", "max"])
def test_whoever_pools_cannot_miss_the_head(
    how: str, folder: Path, asking: SentenceTransformer, texts: list[str]
) -> None:
    session = onnxruntime.InferenceSession(folder / "onnx" / "model.onnx", providers=["CPUExecutionProvider"])
    assert [one.name for one in session.get_outputs()] == ["sentence_embedding", "last_hidden_state"]
    features = asking.preprocess(["question: " + text for text in texts[:7]])
    feed = {one.name: features[one.name].numpy() for one in session.get_inputs()}
    first, hidden = session.run(None, feed)
    assert hidden.shape == (*feed["input_ids"].shape, 8)
    np.testing.assert_allclose(_pooled(hidden, feed["attention_mask"], how), first, atol=1e-6)
    np.testing.assert_allclose(first, asking.encode(texts[:7]), atol=1e-5)


def test_the_folder_has_what_servers_look_for(folder: Path, asking: SentenceTransformer) -> None:
    assert json.loads((folder / "1_Pooling" / "config.json").read_text())["word_embedding_dimension"] == 8
    assert json.loads((folder / "sentence_bert_config.json").read_text())["max_seq_length"] == 48
    pieces = (folder / "vocab.txt").read_text(encoding="utf-8").split("\n")
    vocabulary = asking.tokenizer.get_vocab()
    assert all(vocabulary[piece] == number for number, piece in enumerate(pieces[:-1]))
    assert len(pieces) - 1 == len(vocabulary)
