from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from projhead.encoders.minilm import minilm_folder
from projhead.errors import UserError
from projhead.exporters import by_format
from projhead.exporters.export import write_export
from projhead.exporters.head import HeadDense, HeadFaiss, HeadOnnx
from projhead.protocols import Exporter
from projhead.reducers.base import load_reducer
from projhead.reducers.pca import PCA
from projhead.vectors import Vectors


def written(exporter: Exporter, reducer: PCA, path: Path, vectors: Vectors) -> Path:
    write_export(exporter, reducer, path, vectors, reducer.transform(vectors), teacher=None, reducer=reducer.kind)
    return path


@pytest.mark.parametrize("exporter", [HeadOnnx(), HeadFaiss()], ids=lambda one: type(one).__name__)
def test_stock_tools_give_the_reducers_rows_of_vectors_of_any_length(
    exporter: Exporter, vectors: Vectors, tmp_path: Path, run_usage: Callable[..., Vectors]
) -> None:
    reducer = PCA(16).fit(vectors)
    path = written(exporter, reducer, tmp_path / "head", vectors)
    np.save(tmp_path / "vectors.npy", 3 * vectors)
    rows = run_usage(path, blocked=["torch"], vectors=f"__import__('numpy').load({str(tmp_path / 'vectors.npy')!r})")
    np.testing.assert_allclose(rows, reducer.transform(vectors), atol=1e-5)


def test_a_residual_head_as_onnx(residual: PCA, vectors: Vectors, tmp_path: Path) -> None:
    read = HeadOnnx().write(residual, tmp_path, vectors)
    np.testing.assert_allclose(read(5 * vectors), residual.transform(vectors), atol=1e-5)


def test_dense_folders_go_behind_a_stock_model(
    residual: PCA, vectors: Vectors, texts: list[str], tmp_path: Path, run_usage: Callable[..., Vectors]
) -> None:
    path = written(HeadDense(), residual, tmp_path / "head", vectors)
    short = [text for text in texts if len(text) < 60]  # the model itself reads more tokens than the fixture's encoder
    rows = run_usage(path, texts=repr(short), teacher=repr(str(minilm_folder())))
    np.testing.assert_allclose(rows, residual.transform(vectors)[[texts.index(text) for text in short]], atol=1e-5)


def test_faiss_takes_no_network(residual: PCA, vectors: Vectors, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"linear, ResidualMLP is not.*export=head_onnx"):
        written(HeadFaiss(), residual, tmp_path / "head", vectors)
    assert not any(tmp_path.iterdir())


def test_an_artifact_has_what_its_head_is_measured_on(vectors: Vectors, tmp_path: Path) -> None:
    PCA(16).fit(vectors).save(tmp_path / "artifact")
    reducer = load_reducer(tmp_path / "artifact")
    record = by_format.export(reducer, tmp_path / "head", format="head_onnx")
    assert record["parity"]["n"] == 32
    assert record["parity"]["worst_cosine"] > 0.999999
    assert (tmp_path / "artifact" / "model.safetensors").stat().st_size < 200_000
    del reducer.sample_  # as older artifacts
    with pytest.raises(UserError, match="calibrate: expected texts or vectors"):
        by_format.export(reducer, tmp_path / "head", format="head_onnx")
