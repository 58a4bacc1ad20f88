"""FAISS for codecs: fast clustering, rotations before coding, whole files."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import faiss
import numpy as np

from projhead.vectors import Vectors

#: From so many values of one call on FAISS compares by matrix products: what its authors measured on one thread
#: (facebookresearch/faiss, pull request 5109). FAISS 1.15 has 128,000, a scan of all pairs for most clusterings.
_VALUES = 800


def write_faiss(what: Any, path: Path) -> None:
    """Write an index or a transform. FAISS's own writer says nothing of a disk that is full when the file is closed.

    Raises
    ------
    OSError
        If it could not be written whole.
    """
    write = faiss.write_index
    if isinstance(what, faiss.IndexBinary):
        write = faiss.write_index_binary
    elif isinstance(what, faiss.VectorTransform):
        write = faiss.write_VectorTransform
    with path.open("wb") as file:
        write(what, faiss.PyCallbackIOWriter(file.write))


def lists_of_codes(kind: Any, d: int, n_lists: int, *form: Any) -> Any:
    """Return empty inverted lists of whole rows' codes; their centroids are to come."""
    centroids = faiss.IndexFlatIP(d)
    lists = kind(centroids, d, n_lists, *form)
    centroids.this.disown()  # not every kind keeps what Python gave it
    lists.own_fields, lists.by_residual = True, False
    return lists


@contextmanager
def matrix_products() -> Iterator[None]:
    """Let FAISS compare rows with centroids by matrix products: several times faster to fit, the same codes.

    The setting is the process's, and is put back.
    """
    before = faiss.cvar.distance_compute_blas_threshold
    faiss.cvar.distance_compute_blas_threshold = _VALUES
    try:
        yield
    finally:
        faiss.cvar.distance_compute_blas_threshold = before


@matrix_products()
def opq_rotation(rows: Vectors, groups: int) -> Vectors:
    """Return the rotation (d, d) after which groups of neighboring dimensions quantize best.

    Ge et al., "Optimized product quantization", 2013, as FAISS does it.
    """
    matrix = faiss.OPQMatrix(rows.shape[1], groups)
    quantizer = faiss.ProductQuantizer(rows.shape[1], groups, 8)
    quantizer.cp.min_points_per_centroid = 1  # fewer rows than 39 per centroid are a choice, not an accident
    matrix.pq = quantizer  # FAISS holds it without owning it
    matrix.train(np.ascontiguousarray(rows))
    rotation: Vectors = faiss.vector_to_array(matrix.A).reshape(matrix.d_out, matrix.d_in)
    return rotation


def itq_directions(rows: Vectors, n_bits: int) -> Vectors:
    """Return directions (n_bits, d) whose signs say most of rows: of centered PCA, rotated toward the signs.

    Gong et al., "Iterative quantization: a Procrustean approach to learning binary codes", 2013, as FAISS does it.
    """
    transform = faiss.ITQTransform(rows.shape[1], n_bits, True)
    transform.train(np.ascontiguousarray(rows))
    directions: Vectors = faiss.vector_to_array(transform.pca_then_itq.A).reshape(n_bits, rows.shape[1])
    return directions
