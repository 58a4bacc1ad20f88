"""A student of a tiny BERT, its exports of every kind, and texts that are hard to read."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import pytest
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Pooling, Transformer

from projhead.encoders.minilm import MiniLM
from projhead.exporters.export import write_export
from projhead.exporters.onnx import Onnx
from projhead.exporters.openvino import OpenVino
from projhead.exporters.sentence_transformers import SentenceTransformersFolder
from projhead.protocols import Exporter
from projhead.reducers.pca import PCA
from projhead.students.assemble import assemble

EXPORTERS: dict[str, Exporter] = {
    "onnx": Onnx(),
    "onnx_int8": Onnx("int8"),
    "onnx_int8_static": Onnx("int8_static"),
    "onnx_int8_weights": Onnx("int8_weights"),
    "onnx_int4_weights": Onnx("int4_weights"),
    "openvino": OpenVino(),
    "openvino_int8": OpenVino("int8"),
    "openvino_int8_bf16": OpenVino("int8_bf16"),
    "sentence_transformers": SentenceTransformersFolder(),
}
#: Mean cosines: random weights of a tiny network are far from robust.
LEAST = {"onnx_int4_weights": 0.9}
ODD_TEXTS = [
    "a cat",
    "",
    "the bank lends money " * 20,
    "a small dog sleeps on the mat",
    "rain",
    "🙂 naïve ДОМ 東京",
    "\x00\x07 bell",
]


@pytest.fixture(scope="session")
def odd_texts() -> list[str]:
    return ODD_TEXTS


@pytest.fixture(scope="session")
def student(
    minilm: MiniLM, write_bert: Callable[..., None], tmp_path_factory: pytest.TempPathFactory, traced_once: None
) -> SentenceTransformer:
    """A BERT of random weights, one layer of width 32, reduced to 4; it reads 48 tokens."""
    folder = tmp_path_factory.mktemp("bert")
    write_bert(folder, 30522, 1, 32, spread=0.3)
    minilm.model.tokenizer.save_pretrained(folder)
    model = SentenceTransformer(modules=[Transformer(str(folder), max_seq_length=48), Pooling(32)], device="cpu")
    return assemble(model, PCA(4).fit(model.encode(ODD_TEXTS)))


@pytest.fixture(scope="session")
def exports(student: SentenceTransformer, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Return what gives the folder of an export, by its kind; each is written once."""
    texts = [f"{text} {number}" for text in ODD_TEXTS for number in range(10)]
    reference = student.encode(texts)

    @cache
    def folder(kind: str) -> Path:
        if kind.startswith("openvino") and find_spec("openvino") is None:
            pytest.skip("OpenVINO is not installed")
        path = tmp_path_factory.mktemp("exports") / kind
        least = LEAST.get(kind, 0.98)
        write_export(
            EXPORTERS[kind], student, path, texts, reference, teacher=None, reducer="pca", min_mean_cosine=least
        )
        return path

    return folder
