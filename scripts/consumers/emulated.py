"""Servers that do not install here, done again by their published rules; `projhead.exporters.consumers` has sources."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import torch
from safetensors.torch import load_file
from sentence_transformers import SentenceTransformer
from tokenizers import Tokenizer
from torch import nn
from transformers import AutoModel, AutoTokenizer

from projhead.vectors import Vectors, unit_rows

#: What the activations of Dense may be, as ``config.json`` names them.
_TEI = {"torch.nn.modules.activation.Tanh": nn.Tanh(), "torch.nn.modules.linear.Identity": nn.Identity()}
_VLLM = _TEI | {
    "torch.nn.modules.activation.ReLU": nn.ReLU(),
    "torch.nn.modules.activation.GELU": nn.GELU(),
    "torch.nn.modules.activation.SiLU": nn.SiLU(),
}


class Refused(Exception):
    """A server does not start."""


def _read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def _pooled_then_dense(folder: Path, texts: Sequence[str], activations: dict[str, nn.Module]) -> Vectors:
    """Network, pooling, every Dense in order, one Normalize: what vLLM and text-embeddings-inference do."""
    limit = _read(folder / "sentence_bert_config.json")["max_seq_length"]
    if not _read(folder / "1_Pooling" / "config.json")["pooling_mode_mean_tokens"]:
        raise Refused("pooling")
    dense = []
    for entry in _read(folder / "modules.json"):
        if entry["type"] != "sentence_transformers.models.Dense":
            continue
        config = _read(folder / entry["path"] / "config.json")
        if config["activation_function"] not in activations:
            raise Refused(config["activation_function"])
        weights = load_file(folder / entry["path"] / "model.safetensors")
        dense.append((weights["linear.weight"], weights.get("linear.bias"), activations[config["activation_function"]]))
    tokenizer, network = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder).float().eval()
    rows = []
    with torch.inference_mode():
        for text in texts:
            tokens = tokenizer([text], truncation=True, max_length=limit, return_tensors="pt")
            row = network(**tokens).last_hidden_state.mean(1)
            for weight, bias, activation in dense:
                row = activation(nn.functional.linear(row, weight, bias))
            rows.append(row.numpy()[0])
    return unit_rows(np.stack(rows))


def vllm(folder: Path, texts: Sequence[str]) -> Vectors:
    """Put all Dense modules behind pooling, then make rows unit length."""
    return _pooled_then_dense(folder, texts, _VLLM)


def tei_candle(folder: Path, texts: Sequence[str]) -> Vectors:
    """Do the same with Tanh and Identity alone."""
    return _pooled_then_dense(folder, texts, _TEI)


def _graph(folder: Path, texts: Sequence[str], output: str) -> list[Vectors]:
    """Run the graph text by text, cut at the limit that is written beside it; return an output's rows."""
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.enable_truncation(_read(folder / "sentence_bert_config.json")["max_seq_length"])
    tokenizer.no_padding()
    session = onnxruntime.InferenceSession(folder / "onnx" / "model.onnx", providers=["CPUExecutionProvider"])
    names = {one.name for one in session.get_inputs()}
    found = []
    for text in texts:
        one = tokenizer.encode(text)
        known = {"input_ids": one.ids, "attention_mask": one.attention_mask, "token_type_ids": one.type_ids}
        feed = {name: np.array([value]) for name, value in known.items() if name in names}
        found.append(session.run([output], feed)[0][0])
    return found


def tei_ort(folder: Path, texts: Sequence[str]) -> Vectors:
    """Take the output ``sentence_embedding`` where there is one, then unit length."""
    return unit_rows(np.stack(_graph(folder, texts, "sentence_embedding")))


def vespa(folder: Path, texts: Sequence[str]) -> Vectors:
    """Take the mean of ``last_hidden_state``, then unit length."""
    return unit_rows(np.stack([rows.mean(0) for rows in _graph(folder, texts, "last_hidden_state")]))


def eland(folder: Path, texts: Sequence[str]) -> Vectors:
    """Run all modules of sentence-transformers, given token ids, mask, types and positions."""
    model = SentenceTransformer(str(folder), device="cpu")
    rows = []
    with torch.inference_mode():
        for text in texts:
            tokens = model.tokenizer([text], truncation=True, max_length=model.max_seq_length, return_tensors="pt")
            tokens["position_ids"] = torch.arange(tokens["input_ids"].shape[1])[None]
            rows.append(model(dict(tokens))["sentence_embedding"].numpy()[0])
    return np.stack(rows)


#: By consumer and form.
EMULATED: dict[tuple[str, str], Callable[[Path, Sequence[str]], Vectors]] = {
    ("vllm", "modules"): vllm,
    ("tei", "modules"): tei_candle,
    ("tei", "onnx"): tei_ort,
    ("vespa", "onnx"): vespa,
    ("eland", "modules"): eland,
}
