from __future__ import annotations

import faiss
import numpy as np

from projhead.codecs.rabitq import RaBitQ
from projhead.vectors import Vectors, unit_rows


def test_the_codes_are_those_of_a_faiss_index(rows: Vectors) -> None:
    codec = RaBitQ().fit(rows)
    turned = np.ascontiguousarray(rows @ codec.state["rotation"].T)
    index = faiss.IndexRaBitQ(32, faiss.METRIC_INNER_PRODUCT)
    index.train(turned)
    index.add(turned)
    np.testing.assert_allclose(faiss.vector_to_array(index.center), codec.state["centroid"], atol=1e-6)
    same = faiss.vector_to_array(index.codes).reshape(600, -1) == codec.encode(rows)
    assert same[:, :4].mean() > 0.999  # the bits; a center that differs in the last place moves few


def test_a_code_is_nearer_than_its_signs_alone(rows: Vectors) -> None:
    codec = RaBitQ().fit(rows)
    decoded = codec.decode(codec.encode(rows))
    turned = rows @ codec.state["rotation"].T - codec.state["centroid"]
    signs = unit_rows(np.sign(turned) @ codec.state["rotation"])
    assert ((decoded - rows) ** 2).sum(axis=1).mean() < 0.95 * ((signs - rows) ** 2).sum(axis=1).mean()
