"""Claims by published rules, and what a folder gives where a server follows the rule."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Pooling, Transformer
from torch import nn

from projhead.encoders.sentence_transformer import SentenceTransformerEncoder
from projhead.errors import UserError
from projhead.exporters.by_format import export
from projhead.exporters.consumers import CONSUMERS
from projhead.exporters.serving import claims, facts_of, is_homogeneous, told, without_inner_normalize
from projhead.heads.residual_mlp import ResidualMLP
from projhead.heads.rotation import Rotation
from projhead.reducers.base import Reducer
from projhead.reducers.pca import PCA
from projhead.students.assemble import assemble
from projhead.vectors import unit_rows


@pytest.fixture(scope="module")
def bare(teacher: SentenceTransformerEncoder) -> SentenceTransformer:
    """The tiny teacher without the Normalize at its end: lengths vary in front of the head."""
    return SentenceTransformer(modules=[teacher.model[0], Pooling(32)], device="cpu")


@pytest.fixture(scope="module")
def few(few_words: Callable[[int, int, int], list[str]]) -> list[str]:
    return few_words(48, 1, 20)


def with_head(bare: SentenceTransformer, few: list[str], head: nn.Module | None, *, center: bool) -> Reducer:
    reducer = PCA(8, center=center).fit(bare.encode(few))
    if head is not None:
        torch.manual_seed(0)
        head.initialize(torch.from_numpy(reducer.components_).float())  # type: ignore[operator]
        if isinstance(head, ResidualMLP):
            nn.init.normal_(head.output.weight, std=0.3)
            if head.hidden.bias is not None:
                nn.init.normal_(head.hidden.bias, std=0.5)
        reducer.head_ = head.requires_grad_(False).eval()
    return reducer


HEADS = {
    "linear": (None, False, {"tei", "vllm"}),
    "centered": (None, True, set()),
    "rotation": (lambda: Rotation(32, 8), False, {"tei", "vllm"}),
    "relu": (lambda: ResidualMLP(32, 8, 24), False, {"vllm"}),
    "gelu": (lambda: ResidualMLP(32, 8, 24, "gelu"), False, set()),
}


@pytest.mark.parametrize("name", HEADS)
def test_servers_that_skip_the_inner_normalize_get_homogeneous_heads_alone(
    name: str, bare: SentenceTransformer, few: list[str], tmp_path: Path
) -> None:
    make, center, served = HEADS[name]
    student = assemble(bare, with_head(bare, few, make and make(), center=center))
    reference = student.encode(few)
    record = export(student, tmp_path / "st", format="sentence_transformers", calibrate=few)
    verdicts = {one["name"]: one["verdict"] for one in record["serves"]}
    assert {one for one in ("tei", "vllm") if verdicts[one] != "refused"} == served
    assert verdicts["sentence-transformers"] == "exact"
    # Told of the written files: skipped, rows are the same where that is claimed, and others where it is not.
    skipped = unit_rows(without_inner_normalize(tmp_path / "st").encode(few))
    assert bool(np.abs(skipped - reference).max() < 1e-5) == ("vllm" in served) == is_homogeneous(student)
    assert bool(record["without_inner_normalize"]) == ("vllm" in served)
    card = (tmp_path / "st" / "README.md").read_text()
    assert all(f"| {one.title} |" in card for one in CONSUMERS.values())
    assert ("Servers that skip every Normalize but the last" in card) == ("vllm" in served)


def test_what_must_be_served_is_refused_before_anything_is_written(
    bare: SentenceTransformer, few: list[str], tmp_path: Path
) -> None:
    student = assemble(bare, with_head(bare, few, ResidualMLP(32, 8, 24), center=False))
    options = {"format": "sentence_transformers", "calibrate": few}
    with pytest.raises(UserError, match=r"inference cannot serve this .* knows Identity, Tanh, got ReLU; export=onnx"):
        export(student, tmp_path / "st", serve=["vllm", "tei"], **options)
    with pytest.raises(UserError, match=r"serve: got 'vlm', expected .*; did you mean vllm\?"):
        export(student, tmp_path / "st", serve=["vlm"], **options)
    with pytest.raises(UserError, match=r"llama\.cpp, ollama cannot serve this folder exactly: not yet"):
        export(student, tmp_path / "st", serve=["llama.cpp"], **options)
    with pytest.raises(UserError, match="tei loads students, got a head alone"):
        export(PCA(8).fit(bare.encode(few)), tmp_path / "head", format="head_dense", serve=["tei"])
    assert not any(tmp_path.iterdir())
    assert export(student, tmp_path / "st", serve=["vllm"], **options)["dimension"] == 8


def test_networks_and_poolings_that_a_server_has_not_are_refused(bare: SentenceTransformer, few: list[str]) -> None:
    first = bare[0]
    assert isinstance(first, Transformer)
    pooled = SentenceTransformer(modules=[first, Pooling(32, pooling_mode="max")], device="cpu")
    facts = facts_of(assemble(pooled, PCA(8, center=False).fit(pooled.encode(few))), "modules")
    assert facts is not None
    said = {one.name: one.said for one in claims(facts)}
    assert said["vllm"].startswith("it pools by cls, lasttoken, mean, got max; ")
    said = {one.name: one.said for one in claims(facts._replace(pooling="mean", network="mpnet"))}
    assert said["vllm"].startswith("it knows the networks bert, ")
    assert said["tei"] == "--dtype float32"


def test_stock_openvino_is_claimed_in_float32_and_tables_where_they_load(
    bare: SentenceTransformer, few: list[str]
) -> None:
    facts = facts_of(assemble(bare, PCA(8, center=False).fit(bare.encode(few))), "openvino")
    assert facts is not None
    by = {one.name: one for one in claims(facts)}
    for name in ("sentence-transformers", "langchain", "llama-index", "haystack", "bertopic"):
        assert by[name].verdict == "setting"
        assert '"ov_config": {"INFERENCE_PRECISION_HINT": "f32"}' in by[name].said  # else bfloat16, where there is it
    onnx = {one.name: one for one in claims(facts._replace(form="onnx"))}
    assert onnx["langchain"].said == 'model_kwargs={"backend": "onnx"}'
    assert onnx["infinity"].verdict == "refused"  # it finds no file
    table = {one.name: one for one in claims(facts._replace(form="table"))}
    assert table["langchain"].verdict == table["model2vec"].verdict == "exact"
    assert table["llama-index"].verdict == "refused"  # it sets a limit of tokens, or fails for want of one


def test_what_is_told_names_every_consumer_once(bare: SentenceTransformer, few: list[str]) -> None:
    student = assemble(bare, with_head(bare, few, None, center=False))
    for form in ("modules", "onnx", "openvino"):
        facts = facts_of(student, form)
        assert facts is not None
        made = claims(facts)
        lines = told(made)
        assert all(
            lines.count(one.title) == 1 for one in made if one.title not in ("OpenVINO", "sentence-transformers")
        )
        assert "llama.cpp, ollama" in lines.splitlines()[-1]
    prompted = claims(facts._replace(form="modules", prompted=True))
    assert {one.name: one.said for one in prompted}["tei"].endswith(
        "prompt_name in each request, or --default-prompt-name"
    )


def test_a_rotation_is_one_plain_layer_exact_at_full_width_and_cut_by_stock_settings(
    bare: SentenceTransformer, few: list[str], tmp_path: Path
) -> None:
    reducer = PCA(32, center=False).fit(bare.encode(few))
    head = Rotation(32, 32)
    head.initialize(torch.from_numpy(reducer.components_).float())
    reducer.head_ = head.requires_grad_(False).eval()
    export(
        assemble(bare, reducer), tmp_path / "st", format="sentence_transformers", calibrate=few, serve=["tei", "vllm"]
    )
    assert [path.parent.name for path in (tmp_path / "st").glob("*_Dense/model.safetensors")] == ["3_Dense"]
    assert '"bias": false' in (tmp_path / "st" / "3_Dense" / "config.json").read_text()
    teacher, rows = unit_rows(bare.encode(few)), SentenceTransformer(str(tmp_path / "st"), device="cpu").encode(few)
    np.testing.assert_allclose(rows @ rows.T, teacher @ teacher.T, atol=1e-6)
    cut = SentenceTransformer(str(tmp_path / "st"), device="cpu", truncate_dim=6)
    expected = assemble(bare, reducer.prefix(6)).encode(few)
    np.testing.assert_allclose(cut.encode(few, normalize_embeddings=True), expected, atol=1e-6)
