"""The head alone, for people whose vectors come from an API."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import nn

from projhead.exporters.onnx import export_graph, quiet
from projhead.reducers.base import Reducer
from projhead.student import dense_modules
from projhead.vectors import Vectors, unit_rows


class _HeadGraph(nn.Module):
    """Rows (n, d) of any length to unit rows (n, k)."""

    def __init__(self, reducer: Reducer) -> None:
        super().__init__()
        self.head = reducer.head_

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        return nn.functional.normalize(self.head(nn.functional.normalize(rows, dim=1)), dim=1)


class HeadOnnx:
    """``head.onnx``: input ``embedding`` (n, d) float32 of any length, output ``sentence_embedding`` (n, k)."""

    title = "The projection head alone, as ONNX"
    usage = """
import onnxruntime

session = onnxruntime.InferenceSession("head.onnx")
rows = session.run(["sentence_embedding"], {"embedding": vectors})[0]  # float32 (n, d) -> (n, k)
"""
    head_only = True
    min_mean_cosine = 0.99999

    def write(self, subject: Reducer, folder: Path, items: Vectors) -> Callable[[Vectors], Vectors]:
        """Write a reducer's head; return what reads the file back."""
        path = folder / "head.onnx"
        example = (torch.zeros(2, int(subject.n_features_in_)),)
        with quiet():
            export_graph(_HeadGraph(subject), example, ["embedding"], ({0: "rows"},), "sentence_embedding").save(
                str(path)
            )
        import onnxruntime

        session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        return lambda rows: session.run(None, {"embedding": np.ascontiguousarray(rows, np.float32)})[0]


class HeadDense:
    """Folders ``Dense_0``, ``Dense_1``, ... that sentence-transformers' `Dense` loads."""

    title = "The projection head alone, as sentence-transformers Dense modules"
    usage = """
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Dense, Normalize

teacher = SentenceTransformer("the teacher")
head = [Dense.load("Dense_0")]  # each Dense_<n> in turn
model = SentenceTransformer(modules=[*teacher, Normalize(), *head, Normalize()])
"""
    head_only = True
    min_mean_cosine = 0.99999

    def write(self, subject: Reducer, folder: Path, items: Vectors) -> Callable[[Vectors], Vectors]:
        """Write a reducer's head; return what reads the folders back."""
        from sentence_transformers.sentence_transformer.modules import Dense

        for number, module in enumerate(dense_modules(subject.head_)):
            (folder / f"Dense_{number}").mkdir()
            module.save(str(folder / f"Dense_{number}"))
        loaded = [Dense.load(str(path)) for path in sorted(folder.glob("Dense_*"))]

        def read(rows: Vectors) -> Vectors:
            features = {"sentence_embedding": torch.from_numpy(unit_rows(rows))}
            with torch.inference_mode():
                for module in loaded:
                    features = module(features)
            return unit_rows(features["sentence_embedding"].numpy())

        return read


class HeadFaiss:
    """``head.vt``: a `faiss.LinearTransform`, to put before an index with `faiss.IndexPreTransform`."""

    title = "The projection head alone, as a FAISS transform"
    usage = """
import faiss

transform = faiss.read_VectorTransform("head.vt")
rows = transform.apply(vectors)  # float32 unit rows (n, d) -> (n, k)
faiss.normalize_L2(rows)
"""
    head_only = True
    min_mean_cosine = 0.99999

    def write(self, subject: Reducer, folder: Path, items: Vectors) -> Callable[[Vectors], Vectors]:
        """Write a linear reducer's head; return what reads the file back.

        Raises
        ------
        ValueError
            If the head is not linear: FAISS has no such transform.
        """
        import faiss

        layers = list(subject.head_.to_sequential())  # type: ignore[operator]
        if len(layers) != 1:
            raise ValueError(
                f"FAISS transforms are linear, {type(subject.head_).__name__} is not: train with head=linear, "
                "or export=head_onnx"
            )
        layer = layers[0]
        transform = faiss.LinearTransform(layer.in_features, layer.out_features, layer.bias is not None)
        faiss.copy_array_to_vector(layer.weight.detach().numpy().ravel(), transform.A)
        if layer.bias is not None:
            faiss.copy_array_to_vector(layer.bias.detach().numpy(), transform.b)
        transform.is_trained = True
        faiss.write_VectorTransform(transform, str(folder / "head.vt"))
        loaded = faiss.read_VectorTransform(str(folder / "head.vt"))
        return lambda rows: unit_rows(loaded.apply(unit_rows(rows)))
