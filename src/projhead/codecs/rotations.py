"""Orthonormal directions along which rows lose least when they are coded."""

from __future__ import annotations

import faiss
import numpy as np

from projhead.codecs.products import matrix_products
from projhead.vectors import Vectors


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
