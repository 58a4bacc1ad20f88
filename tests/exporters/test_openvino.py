from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from sentence_transformers import SentenceTransformer

from projhead.encoders.load import load_encoder
from projhead.encoders.openvino import openvino_runtime
from projhead.exporters.export import write_export
from projhead.exporters.openvino import OpenVino
from projhead.vectors import Vectors

pytestmark = pytest.mark.skipif(find_spec("openvino") is None, reason="OpenVINO is not installed")
# Without the package that reports its use over the network.
BLOCKED = ["torch", "transformers", "sentence_transformers", "openvino_telemetry"]


def test_plain_openvino_and_tokenizers_give_the_students_rows(
    student: SentenceTransformer,
    texts: list[str],
    reference: Vectors,
    tmp_path: Path,
    run_usage: Callable[..., Vectors],
) -> None:
    path = tmp_path / "openvino"
    record = write_export(OpenVino(), student, path, texts, reference, teacher=None, reducer="learned")
    assert record["parity"]["worst_cosine"] > 0.99999
    np.testing.assert_allclose(run_usage(path, blocked=BLOCKED, texts=repr(texts)), reference, atol=1e-5)
    assert "library_name: openvino\n" in (path / "README.md").read_text()
    assert str(tmp_path).encode() not in (path / "openvino" / "openvino_model.xml").read_bytes()


def test_int8_is_a_quarter_of_the_size_and_near(
    student: SentenceTransformer,
    texts: list[str],
    reference: Vectors,
    tmp_path: Path,
    run_usage: Callable[..., Vectors],
) -> None:
    path = tmp_path / "int8"
    record = write_export(OpenVino("int8"), student, path, texts, reference, teacher=None, reducer="learned")
    assert record["parity"]["mean_cosine"] >= 0.998
    assert record["parity"]["worst_cosine"] >= 0.99
    whole = sum(parameter.nbytes for parameter in student.parameters())
    assert sum((path / "openvino" / f"openvino_model.{end}").stat().st_size for end in ("xml", "bin")) <= 0.27 * whole
    rows = load_encoder(path).encode(texts)
    # In other batches some processors sum in another order, and a code at a border becomes its neighbor.
    assert (run_usage(path, blocked=BLOCKED, texts=repr(texts)) * rows).sum(1).min() > 0.9999
    assert Counter(_products(path))["u8"] == 36  # activations are codes too, not the weights alone


def _products(folder: Path) -> list[str]:
    """Return what each product takes, as OpenVINO runs it."""
    compiled = openvino_runtime().compile_model(folder / "openvino" / "openvino_model.xml", "CPU")
    nodes = [node.get_rt_info() for node in compiled.get_runtime_model().get_ops()]
    facts = [(str(node["layerType"].value), str(node["runtimePrecision"].value)) for node in nodes]
    return [precision for layer, precision in facts if layer == "FullyConnected"]


def test_an_unknown_precision_is_refused() -> None:
    with pytest.raises(ValueError, match="expected one of float32, int8, int8_static, int8_bf16, got 'int4'"):
        OpenVino("int4")


def test_the_snippet_asks_for_what_the_file_may_compute_with() -> None:
    hints = {"float32": "f32", "int8": "f32", "int8_bf16": "bf16"}
    for dtype, hint in hints.items():
        assert f'{{"INFERENCE_PRECISION_HINT": "{hint}"}}' in OpenVino(dtype).usage


def test_other_networks_have_their_own_inputs_and_prompts(
    tiny: SentenceTransformer, texts: list[str], tmp_path: Path
) -> None:
    prompts = {"query": "question <1>:\n", "document": "answer: "}
    asking = SentenceTransformer(modules=list(tiny), device="cpu", prompts=prompts)
    reference = np.stack([asking.encode_query(texts), asking.encode_document(texts)])
    assert np.abs(reference[0] - reference[1]).max() > 0.01  # the prompt matters
    write_export(OpenVino(), asking, tmp_path / "tiny", texts, reference, teacher=None, reducer="pca")
    encoder = load_encoder(tmp_path / "tiny")
    found = np.stack([encoder.encode_query(texts), encoder.encode_document(texts)])
    np.testing.assert_allclose(found, reference, atol=1e-5)
