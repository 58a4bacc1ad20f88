"""The forms a float32 graph can be quantized to, and their calibration texts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import cycle
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sentence_transformers import SentenceTransformer
from tokenizers import Tokenizer

from projhead.data import IS_QUERY
from projhead.encoders.sides import SIDES, prompt_of
from projhead.encoders.texts import clean_texts
from projhead.quantization.float16 import to_float16
from projhead.quantization.int8 import quantize
from projhead.quantization.int8_static import quantize_static
from projhead.quantization.network import Network
from projhead.quantization.onnxruntime_int8 import quantize_dynamic, quantize_weights
from projhead.quantization.tables import tables_in_int8

#: Precisions, and the mean cosine that each reaches with room to spare.
DTYPES = {
    "float32": 0.99999,
    "float16": 0.9999,
    "int8": 0.997,
    "int8_static": 0.997,
    "int8_dynamic": 0.98,
    "int8_weights": 0.999,
    "int4_weights": 0.95,
}
_QUANTIZERS: dict[str, Callable[[Network, Any], Network]] = {
    "int8": quantize,
    "int8_static": quantize_static,
    "int8_dynamic": lambda network, _: quantize_dynamic(network),
    "int8_weights": lambda network, _: quantize_weights(network, 8),
    "int4_weights": lambda network, _: quantize_weights(network, 4),
}
#: Texts that int8 is calibrated on, about.
_CALIBRATION = 256


def in_dtype(network: Network, dtype: str, batches: Iterator[dict[str, NDArray[np.int64]]]) -> Network:
    """Return a float32 graph in one of `DTYPES`; int8 and int8_static are calibrated on the batches of inputs.

    Of a table of tokens, which has no products of activations and weights but its head's, the table is in int8.
    """
    if dtype == "float16":
        return to_float16(network)
    if dtype in ("int8", "int8_static") and all(node.op_type != "MatMul" for node in network.model.graph.node):
        return tables_in_int8(network)
    return _QUANTIZERS[dtype](network, batches) if dtype in _QUANTIZERS else network


def calibration(
    network: Network, tokenizer: Tokenizer, student: SentenceTransformer, items: Sequence[str]
) -> Iterator[dict[str, NDArray[np.int64]]]:
    """Yield what a graph takes, each (1, t), for some of the texts, queries and documents by turns."""
    sides = cycle([(prompt_of(student, side), int(side == "query")) for side in SIDES])
    names = [node.name for node in network.model.graph.input]
    for text, (prompt, asks) in zip(clean_texts(items)[:: max(len(items) // _CALIBRATION, 1)], sides, strict=False):
        ids = np.array([tokenizer.encode(prompt + text).ids], np.int64)
        known = {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}
        known[IS_QUERY] = np.array([[asks]], np.int64)
        yield {name: known[name] for name in names}
