"""A head and the codec it was trained with, as one FAISS index."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from projhead.codecs._faiss import write_faiss
from projhead.exporters.head import linear_transform
from projhead.reducers.base import Reducer
from projhead.vectors import Vectors, unit_rows


class FaissCodes:
    """``codes.index``: a trained, empty FAISS index that takes the teacher's vectors of any length.

    Before its codes stand the head and what makes rows unit length. FAISS scores a query with what a code says as
    it stands, where projhead gives that unit length again: train with ``reducer.raw_codes=true`` for FAISS.
    """

    title = "A projection head and the codes it was trained with, as one FAISS index"
    usage = """
documents, queries = ..., ...  # the teacher's vectors, float32 (n, d), (q, d)

import faiss

index = faiss.read_index(f"{folder}/codes.index")
index.add(documents)
scores, numbers = index.search(queries, 10)
"""
    encoder = None
    form = None
    min_mean_cosine = 0.5  # to rows before they are coded

    def write(self, subject: Reducer, folder: Path, items: Vectors) -> Callable[[Vectors], Vectors]:
        """Write a reducer and its codec into the existing empty `folder`; return what codes rows and brings them back.

        Raises
        ------
        ValueError
            If the head is not linear, or was not trained with a codec that FAISS has.
        """
        import faiss

        if subject.codec_ is None:
            raise ValueError(
                "the head was not trained with a codec, so there are no codes to export: train with codec=pq:32, "
                "or export=head_faiss"
            )
        index = faiss.IndexPreTransform(subject.codec_.to_faiss())
        head = linear_transform(subject)
        for transform in (_unit(head.d_out), head, _unit(head.d_in)):
            index.prepend_transform(transform)
        write_faiss(index, folder / "codes.index")
        loaded: Any = faiss.read_index(str(folder / "codes.index"))
        codes = faiss.downcast_index(loaded.index)
        return lambda rows: unit_rows(codes.sa_decode(loaded.sa_encode(rows)))


def _unit(dimension: int) -> Any:
    import faiss

    return faiss.NormalizationTransform(dimension, 2.0)
