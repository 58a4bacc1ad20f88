from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from projhead.corpora.batching import token_batches
from projhead.encoders.providers import Buckets, best_budget, engine_options, providers


@pytest.mark.parametrize(
    ("limit", "lengths"),
    [
        (8, (8,)),
        (16, (16,)),
        (48, (16, 24, 32, 48)),
        (200, (16, 24, 32, 48, 64, 96, 128, 192, 200)),
        (512, (16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512)),
    ],
)
def test_buckets_are_powers_of_two_and_half_as_much_again_up_to_the_limit(limit: int, lengths: tuple[int, ...]) -> None:
    buckets = Buckets.up_to(limit, 1000)
    assert buckets.lengths == lengths
    for length in range(limit + 1):
        assert buckets.padded(length) == min(one for one in lengths if one >= length)


@pytest.mark.parametrize("token_budget", [1, 100, 4096])
def test_every_batch_is_inside_the_profile(token_budget: int) -> None:
    buckets = Buckets.up_to(200, token_budget)
    options = buckets.options(["input_ids"])
    least, best, most = (
        np.array(options[f"trt_profile_{name}_shapes"].removeprefix("input_ids:").split("x"), int)
        for name in ("min", "opt", "max")
    )
    assert (least <= best).all()
    assert (best <= most).all()
    generator = np.random.default_rng(0)
    for size in (1, 7, 600):
        padded = [buckets.padded(length) for length in generator.integers(0, 201, size)]
        for batch in token_batches(padded, token_budget):
            shape = len(batch), padded[batch[0]]
            assert shape[0] <= buckets.rows(shape[1])
            assert (least <= shape).all()
            assert (shape <= most).all()


def test_the_options_are_in_onnx_runtimes_words(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    options = engine_options(Buckets((16, 32, 48), 96), ["input_ids", "attention_mask"], "abc", fp16=True)
    assert options == {
        "trt_profile_min_shapes": "input_ids:1x16,attention_mask:1x16",
        "trt_profile_opt_shapes": "input_ids:3x32,attention_mask:3x32",
        "trt_profile_max_shapes": "input_ids:6x48,attention_mask:6x48",
        "trt_engine_cache_enable": True,
        "trt_engine_cache_path": str(tmp_path / "projhead" / "tensorrt" / "abc-6x48"),
        "trt_fp16_enable": True,
    }
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    path = engine_options(Buckets((16,), 96), ["input_ids"], "abc", fp16=False)["trt_engine_cache_path"]
    assert path == str(tmp_path / ".cache" / "projhead" / "tensorrt" / "abc-6x16")


def test_a_device_without_its_provider_is_refused() -> None:
    assert providers("cpu", ["CPUExecutionProvider"]) == [("CPUExecutionProvider", {})]
    with pytest.raises(
        ModuleNotFoundError, match=r"has CPUExecution.*expected CUDAExecution.*install 'onnxruntime-gpu"
    ):
        providers("cuda", ["CPUExecutionProvider"])
    with pytest.raises(ValueError, match=r"expected one of cpu, cuda, .*, got 'gpu'"):
        best_budget("gpu")
