"""ONNX Runtime's execution providers by device, and the fixed shapes that TensorRT needs."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from typing import Any, NamedTuple

from projhead.data import IS_QUERY
from projhead.persistence.cache import user_cache

_CPU, _CUDA, _TENSORRT = "CPUExecutionProvider", "CUDAExecutionProvider", "TensorrtExecutionProvider"
_CHAINS = {
    "cpu": (_CPU,),
    "cuda": (_CUDA, _CPU),
    "tensorrt": (_TENSORRT, _CUDA, _CPU),
    "tensorrt_fp16": (_TENSORRT, _CUDA, _CPU),
}
#: Padded tokens of a batch. TensorRT plans memory for the most rows at the longest length, far more than a budget.
_BUDGETS = {"cpu": 1024, "cuda": 16_384, "tensorrt": 4096, "tensorrt_fp16": 4096}
#: Tokens of the shortest bucket.
_SHORTEST = 16


class Buckets(NamedTuple):
    """The lengths that texts are padded to, and what a batch may hold: every batch then fits one TensorRT engine.

    TensorRT builds an engine, for minutes, for a range of shapes and again for each shape outside it.

    Attributes
    ----------
    lengths : tuple of int
        In tokens, rising: powers of two and 1.5 times those from 16, and the model's limit.
    token_budget : int
        Padded tokens of a batch.
    """

    lengths: tuple[int, ...]
    token_budget: int

    @classmethod
    def up_to(cls, limit: int, token_budget: int) -> Buckets:
        """Return the buckets of a model that reads `limit` tokens of a text."""
        powers = [_SHORTEST << step for step in range(limit.bit_length())]
        steps = sorted([*powers, *(power * 3 // 2 for power in powers)])
        return cls((*(length for length in steps if length < limit), limit), token_budget)

    def padded(self, length: int) -> int:
        """Return the bucket, in tokens, of a text of `length` tokens."""
        return self.lengths[bisect_left(self.lengths, length)]

    def rows(self, length: int) -> int:
        """Return the most texts of a batch in the bucket of `length` tokens."""
        return max(self.token_budget // length, 1)

    def options(self, inputs: Sequence[str]) -> dict[str, str]:
        """Return the explicit profile in ONNX Runtime's words, such as ``input_ids:1x16,attention_mask:1x16``."""
        shortest, middle, longest = self.lengths[0], self.lengths[len(self.lengths) // 2], self.lengths[-1]
        shapes = {
            "min": (1, shortest),
            "opt": (self.rows(middle), middle),
            "max": (self.rows(shortest), longest),
        }
        return {
            f"trt_profile_{name}_shapes": ",".join(f"{one}:{rows}x{1 if one == IS_QUERY else length}" for one in inputs)
            for name, (rows, length) in shapes.items()
        }


def best_budget(device: str) -> int:
    """Return the padded tokens of a batch on a device.

    Raises
    ------
    ValueError
        If the device is another.
    """
    if device not in _BUDGETS:
        raise ValueError(f"device of an ONNX student: expected one of {', '.join(_BUDGETS)}, got {device!r}")
    return _BUDGETS[device]


def providers(device: str, present: Sequence[str]) -> list[tuple[str, dict[str, Any]]]:
    """Return what ``onnxruntime.InferenceSession`` takes as ``providers``, each with no options yet.

    Parameters
    ----------
    device : {"cpu", "cuda", "tensorrt", "tensorrt_fp16"}
        The first provider is the device's, the others run what it cannot.
    present : sequence of str
        ``onnxruntime.get_available_providers()``.

    Raises
    ------
    ModuleNotFoundError
        If the installed ONNX Runtime has no such provider.
    """
    chain = _CHAINS[device]
    if chain[0] not in present:
        raise ModuleNotFoundError(
            f"device={device}: the installed ONNX Runtime has {', '.join(present)}, expected {chain[0]}: pip uninstall "
            "onnxruntime, then pip install 'onnxruntime-gpu>=1.21' (they share one folder); TensorRT has to be "
            "installed too where it is asked for; neither was ever tested on a GPU"
        )
    return [(name, {}) for name in chain]


def engine_options(buckets: Buckets, inputs: Sequence[str], revision: str, *, fp16: bool) -> dict[str, Any]:
    """Return TensorRT's options: the shapes, the precision, and where engines are kept.

    That is ``projhead/tensorrt`` in the user's cache (``$XDG_CACHE_HOME``, or ``~/.cache``), in a folder by the
    export's revision and its largest shape: engines of other shapes would be built over these.
    """
    largest = f"{buckets.rows(buckets.lengths[0])}x{buckets.lengths[-1]}"
    return {
        **buckets.options(inputs),
        "trt_engine_cache_enable": True,
        "trt_engine_cache_path": str(user_cache("tensorrt") / f"{revision}-{largest}"),
        "trt_fp16_enable": fp16,
    }
