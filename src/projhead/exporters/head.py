"""Export the head alone, for vectors that come from an API."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from projhead.codecs._faiss import write_faiss
from projhead.exporters.tracing import export_graph
from projhead.reducers.base import Reducer
from projhead.students.assemble import dense_modules
from projhead.vectors import Vectors, unit_rows


class _Whole(nn.Module):
    """Rows (n, d) of any length to unit rows (n, k)."""

    def __init__(self, head: nn.Module) -> None:
        super().__init__()
        self.head = head

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        return nn.functional.normalize(self.head(nn.functional.normalize(rows, dim=1)), dim=1)


class HeadOnnx:
    """``head.onnx``: ``embedding`` (n, d), float32 rows of any length, to ``sentence_embedding`` (n, k), unit rows."""

    title = "The projection head alone, as ONNX"
    usage = """
vectors = ...  # the teacher's, float32 (n, d)

import onnxruntime

session = onnxruntime.InferenceSession(f"{folder}/head.onnx")
rows = session.run(["sentence_embedding"], {"embedding": vectors})[0]  # float32 (n, d) -> (n, k)
"""
    encoder = None
    form = None
    min_mean_cosine = 0.99999

    def write(self, subject: Reducer, folder: Path, items: Vectors) -> Callable[[Vectors], Vectors]:
        """Write a reducer's head into the existing empty `folder`; return what reads the file back."""
        rows = torch.export.Dim("rows")
        example = torch.ones(2, int(subject.n_features_in_))
        model = export_graph(_Whole(subject.head_), (example,), ["embedding"], ({0: rows},), "sentence_embedding")
        path = folder / "head.onnx"
        model.write(path)
        import onnxruntime

        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        return lambda rows: session.run(None, {"embedding": np.ascontiguousarray(rows, np.float32)})[0]


class HeadDense:
    """Folders ``1_Dense``, ``2_Dense``, ... that sentence-transformers' `Dense` loads."""

    title = "The projection head alone, as sentence-transformers Dense modules"
    usage = """
teacher = "the teacher"
texts = ["a text", "another"]

from pathlib import Path

from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Dense, Normalize

head = [Dense.load(str(path)) for path in sorted(Path(folder).glob("*_Dense"))]
model = SentenceTransformer(modules=[*SentenceTransformer(teacher), Normalize(), *head, Normalize()])
rows = model.encode_document(texts)  # of queries: encode_query
"""
    encoder = None
    form = None
    min_mean_cosine = 0.99999

    def write(self, subject: Reducer, folder: Path, items: Vectors) -> Callable[[Vectors], Vectors]:
        """Write a reducer's head into the existing empty `folder`; return what reads the folders back."""
        from sentence_transformers.sentence_transformer.modules import Dense

        for number, module in enumerate(dense_modules(subject.head_), start=1):
            (folder / f"{number}_Dense").mkdir()
            module.save(str(folder / f"{number}_Dense"))
        head = nn.Sequential(*(Dense.load(str(path)) for path in sorted(folder.glob("*_Dense"))))

        def read(rows: Vectors) -> Vectors:
            with torch.inference_mode():
                features = head({"sentence_embedding": torch.from_numpy(unit_rows(rows))})
            return unit_rows(features["sentence_embedding"].numpy())

        return read


class HeadFaiss:
    """``head.vt``: a `faiss.LinearTransform`, to put before an index with `faiss.IndexPreTransform`."""

    title = "The projection head alone, as a FAISS transform"
    usage = """
vectors = ...  # the teacher's, float32 (n, d)

import faiss

transform = faiss.read_VectorTransform(f"{folder}/head.vt")
faiss.normalize_L2(vectors)  # float32 (n, d), in place
rows = transform.apply(vectors)  # (n, k)
faiss.normalize_L2(rows)
"""
    encoder = None
    form = None
    min_mean_cosine = 0.99999

    def write(self, subject: Reducer, folder: Path, items: Vectors) -> Callable[[Vectors], Vectors]:
        """Write a linear head into the existing empty `folder`; return what reads the file back.

        Raises
        ------
        ValueError
            If the head is not linear: FAISS has no such transform.
        """
        import faiss

        transform = linear_transform(subject)
        write_faiss(transform, folder / "head.vt")
        loaded = faiss.read_VectorTransform(str(folder / "head.vt"))
        return lambda rows: unit_rows(loaded.apply(unit_rows(rows)))


def linear_transform(subject: Reducer) -> Any:
    """Return a linear head as a ``faiss.LinearTransform``.

    Raises
    ------
    ValueError
        If the head is not linear: FAISS has no such transform.
    """
    import faiss

    layers = list(subject.head_.to_sequential())  # type: ignore[operator]
    if len(layers) != 1 or not isinstance(layers[0], nn.Linear):
        raise ValueError(
            f"FAISS transforms are linear, {type(subject.head_).__name__} is not: train with head=linear, "
            "or export=head_onnx"
        )
    (layer,) = layers
    transform = faiss.LinearTransform(layer.in_features, layer.out_features, layer.bias is not None)
    faiss.copy_array_to_vector(layer.weight.detach().numpy().ravel(), transform.A)
    if layer.bias is not None:
        faiss.copy_array_to_vector(layer.bias.detach().numpy(), transform.b)
    transform.is_trained = True
    return transform
