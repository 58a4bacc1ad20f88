"""Devices that are not here: a session that is given their options, and runs on the CPU."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from sentence_transformers import SentenceTransformer

from projhead.encoders.load import load_encoder
from projhead.persistence.record import Record
from projhead.persistence.registry import build, spec_of

CPU, CUDA, TENSORRT = (f"{name}ExecutionProvider" for name in ("CPU", "CUDA", "Tensorrt"))
Session = onnxruntime.InferenceSession


class Captured:
    """What an `InferenceSession` was given and fed."""

    starts = True
    providers: list[tuple[str, dict[str, Any]]]
    shapes: list[dict[str, tuple[int, ...]]]

    def __call__(self, path: Path, options: Any, providers: list[tuple[str, dict[str, Any]]]) -> Any:
        self.providers, self.shapes = providers, []
        session = Session(path, options, providers=[CPU])
        run, names = session.run, [name for name, _ in providers]
        session.get_providers = lambda: names if self.starts else names[-1:]

        def noted(outputs: list[str], feed: dict[str, Any]) -> Any:
            self.shapes.append({name: value.shape for name, value in feed.items()})
            return run(outputs, feed)

        session.run = noted
        return session


@pytest.fixture
def captured(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Captured:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: [TENSORRT, CUDA, CPU])
    monkeypatch.setattr(onnxruntime, "InferenceSession", captured := Captured())
    return captured


def test_cuda_is_asked_for_first(
    captured: Captured, exports: Callable[[str], Path], student: SentenceTransformer, odd_texts: list[str]
) -> None:
    encoder: Any = load_encoder(exports("onnx"), device="cuda")
    assert captured.providers == [(CUDA, {}), (CPU, {})]
    assert (encoder.threads, encoder.token_budget) == (1, 16_384)
    np.testing.assert_allclose(encoder.encode(odd_texts), student.encode(odd_texts), atol=1e-5)
    assert build(spec_of(encoder), "encoder").device == "cuda"


@pytest.mark.parametrize("token_budget", [30, 100, 4096])
def test_tensorrt_gets_a_profile_that_every_batch_is_inside(
    token_budget: int,
    captured: Captured,
    exports: Callable[[str], Path],
    student: SentenceTransformer,
    odd_texts: list[str],
) -> None:
    texts = [" ".join(["cat"] * length) for length in range(60)] + odd_texts
    encoder: Any = load_encoder(exports("onnx"), device="tensorrt", token_budget=token_budget)
    np.testing.assert_allclose(encoder.encode(texts), student.encode(texts), atol=1e-5)
    assert [name for name, _ in captured.providers] == [TENSORRT, CUDA, CPU]
    options = captured.providers[0][1]
    assert options["trt_engine_cache_enable"] is True
    assert options["trt_fp16_enable"] is False
    assert encoder.identity.fingerprint in options["trt_engine_cache_path"]
    assert Path(options["trt_engine_cache_path"]).is_dir()  # ONNX Runtime makes no folder above it
    least, most = (_shapes(options[f"trt_profile_{name}_shapes"]) for name in ("min", "max"))
    for shapes in captured.shapes:
        assert set(shapes) == set(least) == set(most)
        for name, shape in shapes.items():
            assert shape[1] in (16, 24, 32, 48)
            assert all(low <= axis <= high for low, axis, high in zip(least[name], shape, most[name], strict=True))
    assert len({shape["input_ids"][1] for shape in captured.shapes}) > 1


def _shapes(profile: str) -> dict[str, tuple[int, ...]]:
    pairs = (one.split(":") for one in profile.split(","))
    return {name: tuple(map(int, shape.split("x"))) for name, shape in pairs}


def test_float16_by_tensorrt_is_asked_for_by_name(captured: Captured, exports: Callable[[str], Path]) -> None:
    load_encoder(exports("onnx"), device="tensorrt_fp16")
    assert captured.providers[0][1]["trt_fp16_enable"] is True


def test_a_provider_that_does_not_start_is_refused(captured: Captured, exports: Callable[[str], Path]) -> None:
    captured.starts = False
    with pytest.raises(ImportError, match=rf"expected {CUDA} to start, got {CPU} alone"):
        load_encoder(exports("onnx"), device="cuda")


@pytest.mark.parametrize(("device", "provider"), [("cuda", CUDA), ("tensorrt", TENSORRT)])
def test_a_provider_that_is_not_installed_is_refused(
    device: str, provider: str, exports: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: [CPU])
    with pytest.raises(ModuleNotFoundError, match=rf"{device}.*has {CPU}, expected {provider}.*onnxruntime-gpu"):
        load_encoder(exports("onnx"), device=device)


def test_tensorrt_needs_a_limit_of_tokens(captured: Captured, exports: Callable[[str], Path], tmp_path: Path) -> None:
    folder = Path(shutil.copytree(exports("onnx"), tmp_path / "copy"))
    tokenizer = json.loads((folder / "tokenizer.json").read_text()) | {"truncation": None}
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
    Record.of(folder, "export", {"encoder": "encoder/OnnxEncoder"}).write(folder)
    with pytest.raises(ValueError, match=r"expected a tokenizer that cuts texts.*device=cuda"):
        load_encoder(folder, device="tensorrt")


def test_nothing_reports_its_use(exports: Callable[[str], Path], tmp_path: Path) -> None:
    code = f"import projhead; projhead.load_encoder({str(exports('onnx'))!r}).encode(['a cat'])"
    kept = {name: value for name, value in os.environ.items() if name not in ("ORT_DISABLE_TELEMETRY", "CI")}
    environment = kept | {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    assert not list(tmp_path.rglob("deviceid"))
