"""Stock ``backend="onnx"`` needs optimum, which is not here: a stand-in loads what sentence-transformers asks for."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Pooling

from projhead.encoders.load import load_encoder
from projhead.exporters.export import export
from projhead.exporters.sentence_transformers_onnx import SentenceTransformersOnnx


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
    """It has a prompt that pooling leaves out, which no graph of tokens to rows can do."""
    modules = [tiny[0], Pooling(32, include_prompt=False), *list(tiny)[2:]]
    return SentenceTransformer(modules=modules, device="cpu", prompts={"a": "ask: "}, default_prompt_name="a")


@pytest.fixture(scope="module")
def folder(asking: SentenceTransformer, texts: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("st") / "onnx"
    export(SentenceTransformersOnnx(), asking, path, texts, asking.encode(texts), teacher=None, reducer="pca")
    return path


@pytest.mark.usefixtures("optimum")
def test_the_stock_backend_finds_the_network_and_the_head_behind_it(
    folder: Path, asking: SentenceTransformer, tiny: SentenceTransformer, texts: list[str]
) -> None:
    reference = asking.encode(texts)
    assert np.abs(reference - tiny.encode(texts)).max() > 0.01  # the prompt matters
    rows = SentenceTransformer(str(folder), backend="onnx", device="cpu").encode(texts)
    assert OrtModel.loaded == folder / "onnx" / "model.onnx"
    np.testing.assert_allclose(rows, reference, atol=1e-5)
    np.testing.assert_allclose(load_encoder(folder).encode(texts), reference, atol=1e-5)
    np.testing.assert_allclose(SentenceTransformer(str(folder), device="cpu").encode(texts), reference, atol=1e-6)


def test_the_graph_is_the_network_alone(folder: Path, asking: SentenceTransformer, texts: list[str]) -> None:
    session = onnxruntime.InferenceSession(folder / "onnx" / "model.onnx", providers=["CPUExecutionProvider"])
    (output,) = session.get_outputs()
    assert (output.name, output.shape[2]) == ("last_hidden_state", 32)
    features = asking.preprocess([texts[0], texts[-1]])
    feed = {one.name: features[one.name].numpy() for one in session.get_inputs()}
    with torch.inference_mode():
        tokens = asking[0](features)["token_embeddings"].numpy()
    read = feed["attention_mask"].astype(bool)
    np.testing.assert_allclose(session.run(None, feed)[0][read], tokens[read], atol=1e-4)


def test_int8_is_what_is_measured_and_read(
    folder: Path, asking: SentenceTransformer, texts: list[str], tmp_path: Path
) -> None:
    path, reference = tmp_path / "st", asking.encode(texts)
    record = export(SentenceTransformersOnnx("int8"), asking, path, texts, reference, teacher=None, reducer="pca",
                    min_mean_cosine=0.98)  # fmt: skip
    assert 0.98 < record["parity"]["mean_cosine"] < 1 - 1e-6
    student: Any = load_encoder(path)
    cosine = (student.encode(texts[1::2]) * reference[1::2]).sum(1, dtype=np.float64)
    assert cosine.mean() == pytest.approx(record["parity"]["mean_cosine"], abs=1e-7)
    assert student.revision != load_encoder(folder).revision  # of the same weights in float32


def test_what_is_not_this_export_is_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"expected one of float32, .*, got 'bfloat16'"):
        SentenceTransformersOnnx("bfloat16")
    with pytest.raises(ValueError, match="expected cpu, got 'cuda'"):
        load_encoder(folder, device="cuda")
    copy = Path(shutil.copytree(folder, tmp_path / "copy"))
    (copy / "onnx" / "model.onnx").write_bytes(b"")
    with pytest.raises(ValueError, match=r"onnx/model\.onnx is missing or altered"):
        load_encoder(copy)
