from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Normalize, StaticEmbedding
from tokenizers import Tokenizer

from projhead.encoders.sentence_transformer import SentenceTransformerEncoder
from projhead.exporters.export import write_export
from projhead.exporters.onnx import Onnx
from projhead.exporters.openvino import OpenVino
from projhead.protocols import Exporter
from projhead.reducers.pca import PCA
from projhead.students.assemble import assemble
from projhead.vectors import Vectors

TEXTS = ["owl", "the red owl is near the farm", "a boat, a boat", "lamp " * 30, "drum under the tower", "old inn"]


@pytest.fixture(scope="module")
def student(teacher: SentenceTransformerEncoder) -> SentenceTransformer:
    """A table of random rows, read up to 20 tokens of each text, and a head of width 8."""
    tokenizer = Tokenizer.from_str(teacher.model.tokenizer.backend_tokenizer.to_str())
    tokenizer.enable_truncation(20)
    rows = np.random.default_rng(0).normal(size=(tokenizer.get_vocab_size(), 512)).astype(np.float32)
    model = SentenceTransformer(
        modules=[StaticEmbedding(tokenizer, embedding_weights=rows), Normalize()],
        device="cpu", prompts={"ask": "loud "}, default_prompt_name="ask",
    )  # fmt: skip
    return assemble(model, PCA(8).fit(model.encode(TEXTS * 2)))


@pytest.mark.parametrize(
    ("exporter", "near"), [(Onnx(), 1e-6), (Onnx("int8"), 0.02), (OpenVino(), 1e-6), (OpenVino("int8"), 0.02)]
)
def test_a_table_is_a_graph_with_the_students_rows(
    exporter: Exporter, near: float, student: SentenceTransformer, tmp_path: Path
) -> None:
    if isinstance(exporter, OpenVino):
        pytest.importorskip("openvino")
    texts = [f"{text} {word}" for text in TEXTS for word in ("small", "road", "over", "")]
    reference = student.encode(texts)
    sides = np.stack([student.encode_query(texts), student.encode_document(texts)])  # without the default prompt
    record = write_export(exporter, student, tmp_path / "out", texts, sides, teacher=None, reducer="pca")
    assert exporter.encoder is not None
    encoder = exporter.encoder(str(tmp_path / "out"))
    np.testing.assert_allclose(encoder.encode(texts), reference, atol=near)
    assert record["parity"]["worst_cosine"] > 0.999
    odd = ["", " ", "unknown", "owl\ud800"]
    np.testing.assert_allclose(encoder.encode(odd), student.encode(["", " ", "unknown", "owl?"]), atol=near)


def test_int8_is_a_quarter_of_the_table(student: SentenceTransformer, tmp_path: Path) -> None:
    size = {}
    for dtype in ("float32", "int8"):
        (tmp_path / dtype).mkdir()
        Onnx(dtype).write(student, tmp_path / dtype, TEXTS)
        size[dtype] = (tmp_path / dtype / "onnx" / "model.onnx").stat().st_size
    assert size["float32"] > 4 * student[0].embedding.weight.numel()
    assert size["int8"] < 0.35 * size["float32"]  # the head takes half


def test_plain_onnxruntime_and_tokenizers_give_the_rows(
    student: SentenceTransformer, tmp_path: Path, run_usage: Callable[..., Vectors]
) -> None:
    sides = np.stack([student.encode_query(TEXTS * 6), student.encode_document(TEXTS * 6)])
    write_export(Onnx(), student, tmp_path / "out", TEXTS * 6, sides, teacher=None, reducer="pca")
    rows = run_usage(tmp_path / "out", blocked=["torch", "transformers", "sentence_transformers"], texts=repr(TEXTS))
    np.testing.assert_allclose(rows, student.encode_document(TEXTS), atol=1e-6)


def test_what_a_table_has_not_is_refused(student: SentenceTransformer, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="got none; export it in float32"):
        Onnx("float16").write(student, tmp_path, TEXTS)
