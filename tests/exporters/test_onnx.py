from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Pooling
from transformers import XLNetConfig, XLNetModel

from projhead.encoders.load import load_encoder
from projhead.encoders.onnx import OnnxEncoder
from projhead.errors import UserError
from projhead.exporters.by_format import export
from projhead.exporters.export import write_export
from projhead.exporters.onnx import Onnx
from projhead.exporters.tracing import export_graph
from projhead.persistence.record import read_record
from projhead.vectors import Vectors

UNNAMED = ("README.md", "export.json")


@pytest.fixture(scope="module")
def folder(
    student: SentenceTransformer, texts: list[str], reference: Vectors, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    path = tmp_path_factory.mktemp("onnx") / "fp32"
    write_export(Onnx(), student, path, texts, reference, teacher=None, reducer="learned")
    return path


def test_plain_onnxruntime_and_tokenizers_give_the_students_rows(
    folder: Path, texts: list[str], reference: Vectors, run_usage: Callable[..., Vectors]
) -> None:
    rows = run_usage(folder, blocked=["torch", "transformers", "sentence_transformers"], texts=repr(texts))
    np.testing.assert_allclose(rows, reference, atol=1e-6)


def test_the_file_tells_nothing_of_the_machine_it_was_made_on(folder: Path) -> None:
    content = (folder / "onnx" / "model.onnx").read_bytes()
    assert b"/sentence_transformers/" not in content
    assert b"stack_trace" not in content


@pytest.mark.parametrize("dtype", ["int8", "int8_static"])
def test_int8_is_a_quarter_of_the_size_and_near(
    dtype: str, folder: Path, student: SentenceTransformer, texts: list[str], reference: Vectors, tmp_path: Path
) -> None:
    record = write_export(Onnx(dtype), student, tmp_path / "int8", texts, reference, teacher=None, reducer="learned")
    assert record["parity"]["mean_cosine"] >= 0.998
    assert record["parity"]["worst_cosine"] >= 0.99
    size = {path: (path / "onnx" / "model.onnx").stat().st_size for path in (folder, tmp_path / "int8")}
    assert size[tmp_path / "int8"] <= 0.27 * size[folder]
    # A row does not depend on what else is in its batch, as it does where activations share one scale.
    encoder = OnnxEncoder(str(tmp_path / "int8"))
    together = encoder.encode(texts)
    np.testing.assert_allclose([encoder.encode([text])[0] for text in texts[::8]], together[::8], atol=1e-5)
    operators = {node.domain for node in onnx.load(tmp_path / "int8" / "onnx" / "model.onnx").graph.node}
    assert operators <= {"", "ai.onnx"}


@pytest.mark.parametrize("links", [True, False])
def test_a_quantized_graph_has_the_name_that_browsers_look_for_too(
    links: bool,
    folder: Path,
    tiny: SentenceTransformer,
    texts: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert [path.name for path in (folder / "onnx").iterdir()] == ["model.onnx"]
    if not links:
        monkeypatch.setattr(Path, "hardlink_to", lambda *_: (_ for _ in ()).throw(OSError("no links here")))
    options = {"teacher": None, "reducer": "pca", "min_mean_cosine": 0.8}
    record = write_export(Onnx("int8"), tiny, tmp_path / "int8", texts, tiny.encode(texts), **options)
    first, second = (tmp_path / "int8" / "onnx" / name for name in ("model.onnx", "model_quantized.onnx"))
    assert first.samefile(second) == links
    assert first.read_bytes() == second.read_bytes()
    once = [path for path in (tmp_path / "int8").rglob("*") if path.is_file() and path.name not in UNNAMED]
    assert record["bytes"] == sum(path.stat().st_size for path in once if path != second)


def test_float16_is_half_the_size_and_gives_unit_rows_on_a_cpu_too(
    folder: Path,
    student: SentenceTransformer,
    texts: list[str],
    reference: Vectors,
    tmp_path: Path,
    run_usage: Callable[..., Vectors],
) -> None:
    record = write_export(
        Onnx("float16"), student, tmp_path / "half", texts, reference, teacher=None, reducer="learned"
    )
    assert record["parity"]["worst_cosine"] >= 0.9999
    size = {path: (path / "onnx" / "model.onnx").stat().st_size for path in (folder, tmp_path / "half")}
    assert size[tmp_path / "half"] <= 0.52 * size[folder]
    model = onnx.load(tmp_path / "half" / "onnx" / "model.onnx")
    onnx.checker.check_model(model, full_check=True)
    output = model.graph.output[0]
    assert output.type.tensor_type.elem_type == onnx.TensorProto.FLOAT
    rows = run_usage(tmp_path / "half", blocked=["torch"], texts=repr(texts))
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-6)  # pooling, head and length are in float32
    assert (rows * reference).sum(1).min() >= 0.9999


def test_an_unknown_precision_is_refused() -> None:
    with pytest.raises(ValueError, match=r"expected one of float32, float16, .*, int4_weights, got 'int4'"):
        Onnx("int4")


@pytest.mark.parametrize(
    ("dtype", "near"),
    [("float32", 0.999999), ("float16", 0.9999), ("int8", 0.99), ("int8_static", 0.98)],
)
def test_other_networks_have_their_own_inputs_and_prompts(
    dtype: str,
    near: float,
    tiny: SentenceTransformer,
    texts: list[str],
    tmp_path: Path,
    run_usage: Callable[..., Vectors],
) -> None:
    prompts = {"query": "question: ", "document": "answer: ", "neither": "text: "}
    asking = SentenceTransformer(modules=list(tiny), device="cpu", prompts=prompts, default_prompt_name="neither")
    reference = np.stack([asking.encode_query(texts), asking.encode_document(texts)])
    assert np.abs(reference[0] - reference[1]).max() > 0.01  # the prompt matters
    record = write_export(Onnx(dtype), asking, tmp_path / "tiny", texts, reference, teacher=None, reducer="pca")
    assert record["prompts"] == {"query": "question: ", "document": "answer: "}
    assert "- query: `'question: '`" in (tmp_path / "tiny" / "README.md").read_text()
    graph = onnx.load(tmp_path / "tiny" / "onnx" / "model.onnx").graph
    assert [node.name for node in graph.input] == ["input_ids", "attention_mask"]
    encoder = OnnxEncoder(str(tmp_path / "tiny"))
    assert encoder.two_sided
    found = np.stack([encoder.encode_query(texts), encoder.encode_document(texts)])
    assert (found * reference).sum(2).mean() > near  # random weights of a tiny network are far from robust
    if dtype == "float32":
        np.testing.assert_allclose(found, reference, atol=1e-5)
        np.testing.assert_allclose(encoder.encode(texts), asking.encode(texts), atol=1e-5)
    rows = run_usage(tmp_path / "tiny", blocked=["torch"], texts=repr(texts))
    # Padded to one length here: float16 rounds what softmax gives each of more tokens.
    np.testing.assert_allclose(rows, found[1], atol=2e-3 if dtype == "float16" else 1e-5)


@pytest.mark.parametrize(
    ("dtype", "apart"),
    [("float32", True), ("int8", False)],
)
def test_weights_that_one_file_cannot_hold_lie_beside_it(
    dtype: str, apart: bool, tiny: SentenceTransformer, texts: list[str], tmp_path: Path
) -> None:
    reference, folder = tiny.encode(texts), tmp_path / "large"
    exporter = Onnx(dtype, most_bytes=1_500_000)  # 3.9 MB of weights in float32
    record = write_export(exporter, tiny, folder, texts, reference, teacher=None, reducer="pca", min_mean_cosine=0.8)
    files, data = read_record(folder, "export", ()).files, folder / "onnx" / "model.onnx_data"
    assert ("onnx/model.onnx_data" in files) == apart == data.is_file()
    found = [path.stat() for path in folder.rglob("*") if path.is_file() and path.name not in UNNAMED]
    assert record["bytes"] == sum({one.st_ino: one.st_size for one in found}.values())
    onnx.checker.check_model(str(folder / "onnx" / "model.onnx"))
    encoder = load_encoder(folder)
    if dtype == "float32":
        np.testing.assert_allclose(encoder.encode(texts), reference, atol=1e-5)
        same = tmp_path / "same"
        write_export(Onnx(), tiny, same, texts, reference, teacher=None, reducer="pca")
        np.testing.assert_array_equal(load_encoder(same).encode(texts), encoder.encode(texts))
    if apart:
        content = bytearray(data.read_bytes())
        content[len(content) // 2] ^= 1
        data.write_bytes(content)
        with pytest.raises(ValueError, match=r"model\.onnx_data is missing or altered"):
            load_encoder(folder)


def test_the_student_stays_as_it_is(folder: Path, student: SentenceTransformer) -> None:
    network = student[0].auto_model
    assert network.config._attn_implementation == "sdpa"
    assert not student.training


def test_what_cannot_be_one_graph_is_refused(tiny: SentenceTransformer, texts: list[str], tmp_path: Path) -> None:
    pooling = Pooling(32, include_prompt=False)
    without = SentenceTransformer(
        modules=[tiny[0], pooling, *list(tiny)[2:]], device="cpu", prompts={"a": "ask: "}, default_prompt_name="a"
    )
    with pytest.raises(ValueError, match="prompt out of pooling"):
        Onnx().write(without, tmp_path, texts)


def test_what_torch_cannot_export_is_told_before_anything_is_encoded(
    tiny: SentenceTransformer, texts: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(0)
    network = XLNetModel(XLNetConfig(vocab_size=50, d_model=32, n_layer=1, n_head=2, d_inner=32))
    first = copy.deepcopy(tiny[0])
    first.model = network
    student = SentenceTransformer(modules=[first, *copy.deepcopy(list(tiny)[1:])], device="cpu")
    monkeypatch.setattr(student, "encode", None)
    expected = r"^XLNetModel cannot be exported as a graph: torch\.onnx stops with [^\n]*; export=sentence_transformers"
    with pytest.raises(UserError, match=expected) as told:
        export(student, tmp_path / "x", calibrate=texts)
    assert "\n" not in str(told.value)
    assert not (tmp_path / "x").exists()


class _Depends(torch.nn.Module):
    """Asks something of the numbers themselves, of which torch prints what it made so far."""

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        return ids.float() if ids.sum().item() > 3 else -ids.float()


def test_pages_that_torch_prints_of_a_failure_are_not_shown(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(UserError, match=r"^_Depends cannot be exported as a graph: .*; export=sentence_transformers"):
        export_graph(_Depends(), (torch.ones(2, 3, dtype=torch.int64),), ["ids"], ({0: torch.export.Dim("b")},), "rows")
    assert capfd.readouterr() == ("", "")
