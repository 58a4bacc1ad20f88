from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from sentence_transformers import SentenceTransformer

from projhead.encoders.exported import load_student
from projhead.exporters.export import export
from projhead.exporters.openvino import OpenVino
from projhead.vectors import Vectors

pytestmark = pytest.mark.skipif(find_spec("openvino") is None, reason="OpenVINO is not installed")
# Without the package that reports its use over the network.
BLOCKED = ["torch", "transformers", "sentence_transformers", "openvino_telemetry"]


def test_plain_openvino_and_tokenizers_give_the_students_rows(
    student: SentenceTransformer, texts: list[str], tmp_path: Path, run_usage: Callable[..., Vectors]
) -> None:
    reference, path = student.encode(texts), tmp_path / "openvino"
    record = export(OpenVino(), student, path, texts, reference, teacher=None, reducer="learned")
    assert record["parity"]["worst_cosine"] > 0.99999
    np.testing.assert_allclose(run_usage(path, blocked=BLOCKED, texts=repr(texts)), reference, atol=1e-5)
    assert "library_name: openvino\n" in (path / "README.md").read_text()
    assert str(tmp_path).encode() not in (path / "openvino_model.xml").read_bytes()


def test_other_networks_have_their_own_inputs_and_prompt(
    tiny: SentenceTransformer, texts: list[str], tmp_path: Path
) -> None:
    asking = SentenceTransformer(
        modules=list(tiny), device="cpu", prompts={"ask": "question <1>:\n"}, default_prompt_name="ask"
    )
    reference = asking.encode(texts)
    assert np.abs(reference - tiny.encode(texts)).max() > 0.01  # the prompt matters
    export(OpenVino(), asking, tmp_path / "tiny", texts, reference, teacher=None, reducer="pca")
    np.testing.assert_allclose(load_student(tmp_path / "tiny").encode(texts), reference, atol=1e-5)
