"""Servers done again by their rules agree with what is claimed of them, on a tiny model."""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from projhead.encoders.sentence_transformer import SentenceTransformerEncoder
from projhead.exporters.by_format import export
from projhead.heads.residual_mlp import ResidualMLP
from projhead.reducers.pca import PCA
from projhead.students.assemble import assemble

HOME = Path(__file__).parents[2] / "scripts" / "consumers"


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Any]:
    monkeypatch.syspath_prepend(str(HOME))
    for name in ("emulated", "environments", "table"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    return importlib.import_module


@pytest.mark.parametrize("head", ["linear", "relu", "gelu"])
def test_rules_and_claims_agree(
    head: str, teacher: SentenceTransformerEncoder, few_words: Callable[..., list[str]], tmp_path: Path, load: Any
) -> None:
    emulated, texts = load("emulated"), few_words(30, 1, 40)
    reducer = PCA(8, center=False).fit(teacher.encode(texts))
    if head != "linear":
        torch.manual_seed(0)
        mlp = ResidualMLP(32, 8, 24, head)
        mlp.initialize(torch.from_numpy(reducer.components_).float())
        torch.nn.init.normal_(mlp.output.weight, std=0.3)
        reducer.head_ = mlp.requires_grad_(False).eval()
    # Without the teacher's own Normalize, so that skipping ours matters.
    bare = type(teacher.model)(modules=list(teacher.model)[:2], device="cpu")
    student = assemble(bare, reducer)
    record = export(student, tmp_path / "st", format="sentence_transformers", calibrate=texts)
    verdicts = {one["name"]: one["verdict"] for one in record["serves"]}
    for consumer in ("vllm", "tei", "eland"):
        try:
            rows = emulated.EMULATED[consumer, "modules"](tmp_path / "st", texts)
            exact = bool(np.abs(rows - student.encode(texts)).max() < 1e-5)
        except emulated.Refused:
            exact = False
        assert exact == (verdicts[consumer] != "refused"), consumer


def test_every_consumer_that_is_run_has_a_driver(load: Any) -> None:
    runs, consumers = load("environments").RUNS, load("table").CONSUMERS
    assert {one.consumer for one in runs.values()} <= set(consumers)
    assert all((HOME / "drivers" / one.driver).is_file() for one in runs.values())


def test_the_matrix_has_what_was_found(load: Any) -> None:
    row = {"consumer": "tei", "environment": "tei", "how": "emulated", "form": "modules", "claimed": "setting"}
    drawn = load("table").matrix(
        [
            {**row, "head": "linear", "found": "exact"},
            {**row, "head": "residual MLP, ReLU", "found": "wrong"},
            {**row, "head": "linear with a bias", "found": "wrong", "claimed": "refused"},
            {**row, "head": "residual MLP, ReLU", "form": "onnx", "found": "needs optimum"},
        ]
    )
    _, title, *cells, _ = (cell.strip() for cell in drawn.splitlines()[2].split("|"))
    assert title == "text-embeddings-inference, *by its rule*"
    assert cells == ["exact", "wrong", "", "refused", "", "needs optimum", "not supported", "not supported"]


def test_every_cell_of_the_matrix_says_something_and_nothing_is_wrong() -> None:
    text = (HOME.parents[1] / "docs" / "guides" / "serving.md").read_text(encoding="utf-8")
    drawn = re.findall(r"<!-- matrix -->\n(.*?)<!-- /matrix -->", text, re.DOTALL)[0].splitlines()[2:]
    cells = {cell.strip() for line in drawn for cell in line.split("|")[2:-1]}
    assert cells <= {"exact", "exact, whole texts", "refused", "not supported", "needs optimum"}
