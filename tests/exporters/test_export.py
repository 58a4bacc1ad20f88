"""Exports of the real teacher with a head inside, loaded by stock tools where projhead cannot be imported."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from projhead.encoders.export_record import write_record
from projhead.encoders.minilm import MiniLM
from projhead.encoders.onnx import OnnxEncoder
from projhead.exporters.export import export, sample_texts
from projhead.exporters.head import HeadDense, HeadFaiss, HeadOnnx
from projhead.exporters.onnx import Onnx
from projhead.exporters.parity import of_several_lengths
from projhead.exporters.sentence_transformers import SentenceTransformersFolder
from projhead.heads.residual_mlp import ResidualMLP
from projhead.protocols import Exporter
from projhead.reducers.base import Reducer
from projhead.reducers.pca import PCA
from projhead.student import build_student
from projhead.vectors import Vectors

SENTENCES = [
    f"{verb} {noun} {place}."
    for verb in ("Reading", "Painting", "Where to find", "The history of")
    for noun in ("old maps", "the human heart", "a sorting algorithm")
    for place in ("in the mountains", "for beginners", "without any money")
]
TEXTS = of_several_lengths(SENTENCES)


@pytest.fixture(scope="module")
def linear(minilm: MiniLM) -> Reducer:
    return PCA(16).fit(minilm.encode(TEXTS))


@pytest.fixture(scope="module")
def mlp(minilm: MiniLM) -> Reducer:
    fitted = PCA(16, center=False).fit(minilm.encode(TEXTS))
    torch.manual_seed(0)
    head = ResidualMLP(384, 16, hidden_features=32)
    head.initialise(fitted.head_.projection.weight)
    torch.nn.init.normal_(head.output.weight, std=0.5)
    fitted.head_ = head.requires_grad_(False)
    return fitted


def _export(exporter: Exporter, minilm: MiniLM, reducer: Reducer, path: Path, **options: float) -> Vectors:
    """Export, and return the rows that the files should give."""
    vectors = minilm.encode(TEXTS)
    reference = reducer.transform(vectors)
    items = vectors if exporter.head_only else TEXTS
    subject = reducer if exporter.head_only else build_student(minilm.model, reducer)
    export(exporter, subject, path, items, reference, teacher=None, reducer=reducer.kind, **options)
    return reference


def _without_projhead(code: str, *arguments: object) -> None:
    """Run code in a process in which projhead cannot be imported."""
    blocked = "import sys; sys.modules['projhead'] = None\n"
    done = subprocess.run(
        [sys.executable, "-c", blocked + code, *map(str, arguments)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_stock_sentence_transformers_gives_the_same_rows(minilm: MiniLM, mlp: Reducer, tmp_path: Path) -> None:
    reference = _export(SentenceTransformersFolder(), minilm, mlp, tmp_path / "st")
    (tmp_path / "texts.json").write_text(json.dumps(TEXTS))
    code = """
import json, numpy, sentence_transformers
model = sentence_transformers.SentenceTransformer(sys.argv[1], device="cpu")
rows = model.encode(json.load(open(sys.argv[2])))
numpy.save(sys.argv[3], rows)
"""
    _without_projhead(code, tmp_path / "st", tmp_path / "texts.json", tmp_path / "rows.npy")
    np.testing.assert_allclose(np.load(tmp_path / "rows.npy"), reference, atol=1e-5)


def test_plain_onnx_runtime_gives_the_same_rows(minilm: MiniLM, mlp: Reducer, tmp_path: Path) -> None:
    reference = _export(Onnx(), minilm, mlp, tmp_path / "onnx")
    (tmp_path / "texts.json").write_text(json.dumps(TEXTS))
    # The card's own snippet, so that what it teaches is known to work.
    snippet = Onnx.usage.replace('["a text", "another"]', "json.load(open(sys.argv[1]))")
    code = f"import json, os; os.chdir(sys.argv[3])\n{snippet}\nnp.save(sys.argv[2], rows)"
    _without_projhead(code, tmp_path / "texts.json", tmp_path / "rows.npy", tmp_path / "onnx")
    np.testing.assert_allclose(np.load(tmp_path / "rows.npy"), reference, atol=1e-5)
    np.testing.assert_allclose(OnnxEncoder(str(tmp_path / "onnx")).encode(TEXTS), reference, atol=1e-5)


def test_int8_is_a_quarter_of_the_size_and_nearly_the_same(minilm: MiniLM, linear: Reducer, tmp_path: Path) -> None:
    reference = _export(Onnx(int8=True), minilm, linear, tmp_path / "int8")
    encoder = OnnxEncoder(str(tmp_path / "int8"))
    rows = encoder.encode(TEXTS)
    assert (rows * reference).sum(1).mean() > 0.998
    in_float32 = 4 * sum(parameter.numel() for parameter in minilm.model.parameters())
    assert (tmp_path / "int8" / "model.onnx").stat().st_size < 0.27 * in_float32
    # A row does not depend on what it shares a batch with.
    np.testing.assert_allclose(encoder.encode(TEXTS[:1]), rows[:1], atol=2e-3)


@pytest.mark.parametrize("exporter", [HeadOnnx(), HeadDense()], ids=lambda one: type(one).__name__)
def test_the_head_alone_takes_vectors_of_any_length(
    exporter: Exporter, minilm: MiniLM, mlp: Reducer, tmp_path: Path
) -> None:
    reference = _export(exporter, minilm, mlp, tmp_path / "head")
    read = exporter.write(mlp, _empty(tmp_path / "again"), None)
    np.testing.assert_allclose(read(5 * minilm.encode(TEXTS)), reference, atol=1e-5)


def test_faiss_takes_a_linear_head_and_refuses_others(
    minilm: MiniLM, linear: Reducer, mlp: Reducer, tmp_path: Path
) -> None:
    reference = _export(HeadFaiss(), minilm, linear, tmp_path / "faiss")
    read = HeadFaiss().write(linear, _empty(tmp_path / "again"), None)
    np.testing.assert_allclose(read(minilm.encode(TEXTS)), reference, atol=1e-5)
    with pytest.raises(ValueError, match="head=linear"):
        _export(HeadFaiss(), minilm, mlp, tmp_path / "mlp")


def test_parity_below_the_threshold_leaves_nothing(minilm: MiniLM, linear: Reducer, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"expected at least 1\.1: nothing was written"):
        _export(SentenceTransformersFolder(), minilm, linear, tmp_path / "st", min_mean_cosine=1.1)
    assert list(tmp_path.iterdir()) == []


def test_the_record_and_the_card_say_what_was_measured(minilm: MiniLM, linear: Reducer, tmp_path: Path) -> None:
    _export(SentenceTransformersFolder("float16"), minilm, linear, tmp_path / "st")
    record = json.loads((tmp_path / "st" / "export.json").read_text())
    assert record["dimension"] == 16
    assert 0.9999 < record["parity"]["mean_cosine"] <= 1.00001
    assert f"{record['parity']['worst_cosine']:.5f}" in (tmp_path / "st" / "README.md").read_text()
    assert (tmp_path / "st" / "model.safetensors").stat().st_size < 50e6


@pytest.mark.parametrize("name", ["model.onnx", "tokenizer.json", "export.json"])
def test_damaged_exports_are_refused(minilm: MiniLM, linear: Reducer, tmp_path: Path, name: str) -> None:
    folder = _empty(tmp_path / "export")
    (folder / "model.onnx").write_bytes(b"graph")
    (folder / "tokenizer.json").write_text("{}")
    write_record(folder, {})
    content = (folder / name).read_bytes()
    (folder / name).write_bytes(content[:-1])
    with pytest.raises(ValueError, match=r"altered|damaged"):
        OnnxEncoder(str(folder))
    (folder / name).unlink()
    with pytest.raises((ValueError, FileNotFoundError), match=r"missing|expected|cannot be loaded"):
        OnnxEncoder(str(folder))


def test_texts_for_parity_are_of_all_lengths() -> None:
    texts = ["x" * n for n in range(1, 101)]
    assert [len(text) for text in sample_texts(texts, 4)] == [1, 34, 67, 100]
    assert sample_texts(["b", "a", "a"], 9) == ["a", "b"]


def _empty(path: Path) -> Path:
    path.mkdir()
    return path
