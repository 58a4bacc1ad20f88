from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from sentence_transformers import SentenceTransformer

from projhead.exporters.export import write_export
from projhead.exporters.sentence_transformers import SentenceTransformersFolder
from projhead.vectors import Vectors, unit_rows


def test_stock_sentence_transformers_gives_the_students_rows(
    student: SentenceTransformer,
    texts: list[str],
    reference: Vectors,
    tmp_path: Path,
    run_usage: Callable[..., Vectors],
) -> None:
    path = tmp_path / "st"
    write_export(SentenceTransformersFolder(), student, path, texts, reference, teacher=None, reducer="learned")
    np.testing.assert_allclose(run_usage(path, texts=repr(texts)), reference, atol=1e-6)


def test_the_layout_is_the_one_that_older_versions_and_other_servers_read(
    student: SentenceTransformer, texts: list[str], tmp_path: Path
) -> None:
    SentenceTransformersFolder().write(student, tmp_path, texts)
    modules = json.loads((tmp_path / "modules.json").read_text())
    names = ["Transformer", "Pooling", "Normalize", "Dense", "Dense", "Normalize"]
    assert [module["type"] for module in modules] == [f"sentence_transformers.models.{name}" for name in names]
    pooling = json.loads((tmp_path / "1_Pooling" / "config.json").read_text())
    assert {name for name, value in pooling.items() if value is True} == {"pooling_mode_mean_tokens", "include_prompt"}
    limits = json.loads((tmp_path / "sentence_bert_config.json").read_text())
    assert limits == {"max_seq_length": 64, "do_lower_case": False}


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_halves_the_files_and_stays_near(
    dtype: str, student: SentenceTransformer, texts: list[str], reference: Vectors, tmp_path: Path
) -> None:
    texts, reference = texts[::4], reference[::4]
    exporter = SentenceTransformersFolder(dtype)
    assert f'model_kwargs={{"dtype": "{dtype}"}}' in exporter.usage
    read = exporter.write(student, tmp_path, texts)
    weights = [tensor for file in tmp_path.rglob("*.safetensors") for tensor in load_file(file).values()]
    assert {tensor.dtype for tensor in weights} == {getattr(torch, dtype)}
    half = read(texts)
    cosine = (half * reference).sum(1)
    assert exporter.min_mean_cosine < cosine.astype(np.float64).mean() < 1 + 1e-6
    # Stock loading computes in float32, and in half where asked to.
    stock = SentenceTransformer(str(tmp_path), device="cpu").encode(texts)
    assert stock.dtype == np.float32
    np.testing.assert_allclose(stock, half, atol=1e-6)
    asked = SentenceTransformer(str(tmp_path), device="cpu", model_kwargs={"dtype": dtype})
    assert {p.dtype for p in asked.parameters()} == {getattr(torch, dtype)}  # the head follows the network
    rows = asked.encode(texts).astype(np.float64)
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=5e-3)
    assert (unit_rows(rows) * reference).sum(1).min() > 0.999
    assert {p.dtype for p in student.parameters()} == {torch.float32}  # the teacher goes on as it was


def test_an_unknown_precision_is_refused() -> None:
    with pytest.raises(ValueError, match="expected one of float32, float16, bfloat16, got 'int4'"):
        SentenceTransformersFolder("int4")
