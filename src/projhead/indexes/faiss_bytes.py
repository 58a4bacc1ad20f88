"""The memory of FAISS indexes, measured or estimated."""

from __future__ import annotations

from typing import Any

import faiss


def measured(index: Any) -> int:
    """Return the bytes of an index as FAISS writes it, which are those that it holds when read again."""
    total = 0

    def count(part: bytes) -> int:
        nonlocal total
        total += len(part)
        return len(part)

    write = faiss.write_index_binary if isinstance(index, faiss.IndexBinary) else faiss.write_index
    write(index, faiss.PyCallbackIOWriter(count))
    return total


def estimated(index: Any, n: int) -> int:
    """Return the bytes that an index, untrained and empty, would take with `n` rows.

    Raises
    ------
    ValueError
        If its kind is not one of those known here.
    """
    if not isinstance(index, faiss.IndexBinary):
        index = faiss.downcast_index(index)
    if isinstance(index, faiss.IndexPreTransform):
        chain = [faiss.downcast_VectorTransform(index.chain.at(i)) for i in range(index.chain.size())]
        return int(sum(4 * one.d_in * one.d_out for one in chain) + estimated(index.index, n))
    if isinstance(index, faiss.IndexRefine):
        return estimated(index.base_index, n) + estimated(index.refine_index, n)
    if isinstance(index, faiss.IndexHNSW):
        return _graph(index.hnsw, n) + estimated(index.storage, n)
    if isinstance(index, faiss.IndexBinaryHNSW):
        return int(_graph(index.hnsw, n) + n * index.code_size)
    if isinstance(index, faiss.IndexBinaryIVF):
        return int(n * (index.code_size + 8) + index.nlist * index.code_size)
    if isinstance(index, faiss.IndexBinaryFlat):
        return int(n * index.code_size)
    if isinstance(index, faiss.IndexIVF):
        # Packed lists are filled up to whole blocks: half of one each, on average.
        filled = index.nlist * index.bbs // 2 if isinstance(index, faiss.IndexIVFFastScan) else 0
        lists = (n + filled) * index.code_size + 8 * n
        return int(lists + _shared(index) + estimated(index.quantizer, index.nlist))
    if isinstance(index, faiss.IndexFlatCodes | faiss.IndexFastScan):
        return int(n * index.code_size + _shared(index))
    raise ValueError(f"the size of a FAISS {type(index).__name__} cannot be estimated; build one on a sample instead")


def _shared(index: Any) -> int:
    """Return the bytes of codebooks."""
    if hasattr(index, "pq"):
        return 4 * int(index.pq.d * index.pq.ksub)
    for name in ("rq", "lsq", "prq", "plsq"):
        if hasattr(index, name):
            codebooks = getattr(index, name)
            return 4 * int(codebooks.d) * int(sum(1 << codebooks.nbits.at(i) for i in range(codebooks.nbits.size())))
    return 8 * int(index.d) if hasattr(index, "sq") else 0


def _graph(hnsw: Any, n: int) -> int:
    """Return the bytes of links: 4 each, of all levels that a row is expected on, and 12 a row to find them."""
    links, share = 0.0, 1.0
    for level in range(hnsw.assign_probas.size()):
        share = sum(hnsw.assign_probas.at(other) for other in range(level, hnsw.assign_probas.size()))
        links += share * hnsw.nb_neighbors(level)
    return int(n * (4 * links + 12))
