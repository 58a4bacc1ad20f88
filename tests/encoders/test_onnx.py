from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Pooling, Transformer
from transformers import BertConfig, BertModel

from projhead.encoders.minilm import MiniLM
from projhead.encoders.onnx import OnnxEncoder
from projhead.exporters.onnx import Onnx
from projhead.reducers.pca import PCA
from projhead.spec import build, spec_of
from projhead.student import build_student

TEXTS = [
    "a cat",
    "",
    "the bank lends money " * 20,
    "a small dog sleeps on the mat",
    "rain",
    "🙂 naïve ДОМ 東京",
    "\x00\x07 bell",
]


@pytest.fixture(scope="module")
def student(minilm: MiniLM, tmp_path_factory: pytest.TempPathFactory) -> SentenceTransformer:
    """A BERT of random weights, one layer of width 32, reduced to 4; it reads 48 tokens."""
    folder = tmp_path_factory.mktemp("bert")
    torch.manual_seed(0)
    shape = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 64}
    BertModel(BertConfig(vocab_size=30522, initializer_range=0.3, **shape)).save_pretrained(folder)
    minilm.model.tokenizer.save_pretrained(folder)
    model = SentenceTransformer(modules=[Transformer(str(folder), max_seq_length=48), Pooling(32)], device="cpu")
    return build_student(model, PCA(4).fit(model.encode(TEXTS)))


@pytest.fixture(scope="module")
def exported(student: SentenceTransformer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("exported")
    Onnx().write(student, folder, TEXTS)
    return folder


@pytest.fixture
def folder(exported: Path, tmp_path: Path) -> Path:
    """A copy to damage."""
    return Path(shutil.copytree(exported, tmp_path / "copy"))


@pytest.mark.parametrize("token_budget", [1, 60, 8192])
def test_rows_are_the_students_in_order_whatever_the_batches(
    token_budget: int, student: SentenceTransformer, exported: Path
) -> None:
    encoder = OnnxEncoder(str(exported), token_budget=token_budget, threads=1)
    assert encoder.dimension == 4
    np.testing.assert_allclose(encoder.encode(TEXTS), student.encode(TEXTS), atol=1e-5)
    assert encoder.encode([]).shape == (0, 4)


def test_odd_texts_get_the_rows_of_what_is_left_of_them(exported: Path) -> None:
    encoder = OnnxEncoder(str(exported))
    rows = encoder.encode(["\ud800 cat", "? cat", "word " * 100_000, "word " * 46])
    np.testing.assert_allclose(rows[0], rows[1], atol=1e-6)
    np.testing.assert_allclose(rows[2], rows[3], atol=1e-6)  # 48 tokens, two of them special
    with pytest.raises(TypeError, match="list of str, got str 'cat'"):
        encoder.encode("cat")
    with pytest.raises(TypeError, match="got NoneType"):
        encoder.encode(["cat", None])  # type: ignore[list-item]


def test_a_record_builds_it_again_and_a_copy_has_its_revision(exported: Path, folder: Path) -> None:
    encoder = OnnxEncoder(str(exported), token_budget=100)
    again = build(spec_of(encoder), "projhead.encoders")
    assert (again.path, again.token_budget) == (encoder.path, 100)
    assert OnnxEncoder(str(folder)).revision == encoder.revision


@pytest.mark.parametrize("file", ["model.onnx", "tokenizer.json", "config.json"])
@pytest.mark.parametrize("damage", ["cut", "flip", "remove"])
def test_damaged_files_are_refused(file: str, damage: str, folder: Path) -> None:
    content = bytearray((folder / file).read_bytes())
    if damage == "cut":
        (folder / file).write_bytes(content[: len(content) // 2])
    elif damage == "flip":
        content[len(content) // 2] ^= 1
        (folder / file).write_bytes(content)
    else:
        (folder / file).unlink()
    with pytest.raises(ValueError, match=rf"{file} is missing or altered.*export again"):
        OnnxEncoder(str(folder))


def test_folders_that_are_no_onnx_export_are_refused(folder: Path) -> None:
    record = json.loads((folder / "export.json").read_text())
    record["sha256"].pop("model.onnx")
    (folder / "export.json").write_text(json.dumps(record))
    with pytest.raises(ValueError, match="another kind of export"):
        OnnxEncoder(str(folder))
    (folder / "export.json").unlink()
    with pytest.raises(FileNotFoundError, match=r"expected .*export\.json.*projhead export"):
        OnnxEncoder(str(folder))


@pytest.mark.parametrize(("setting", "value"), [("threads", 0), ("token_budget", 0)])
def test_numbers_that_are_not_positive_are_refused(setting: str, value: int, exported: Path) -> None:
    with pytest.raises(ValueError, match=f"{setting}: expected a positive number"):
        OnnxEncoder(str(exported), **{setting: value})  # type: ignore[arg-type]
