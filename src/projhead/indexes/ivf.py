"""A codec's codes in FAISS's inverted lists."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Self

import faiss
import numpy as np

from projhead.codecs._faiss import matrix_products
from projhead.codecs.base import BaseCodec, load_codec
from projhead.codecs.pq import ProductQuantizer
from projhead.data import Footprint
from projhead.indexes.codes import codec_for, codes_of
from projhead.indexes.faiss import FaissIndex, inmost
from projhead.indexes.ids import Places
from projhead.indexes.rows import sample
from projhead.protocols import Rows
from projhead.settings.ranges import Count
from projhead.vectors import Vectors, unit_rows

#: Rows that lists are trained on, at most, and for each list, where that is more.
_TRAIN, _TRAIN_PER_LIST = 16_384, 64
#: Candidates for each neighbor, compared again with what their codes say at unit length.
_AGAIN = 4
#: Codes that are put into lists at once.
_BLOCK = 65_536


class IvfIndex(FaissIndex):
    """Codes of any codec that FAISS has, those of a trained one too, in inverted lists of which queries visit some.

    FAISS's ``"IVF1024,PQ32"`` codes what is left of a row beside the centroid of its list, by tables of its own. Here
    codes stay what the codec made of the whole row (``by_residual=False``), so that what a head was trained with is
    what is searched: as in Jégou et al., "Product quantization for nearest neighbor search", 2011, but for that.
    Scores are the codec's, of what a code says made unit length.

    Parameters
    ----------
    codec : BaseCodec, optional
        ``pq``, ``opq``, ``rq`` or ``prq``; 32 bytes of ``pq`` where not given. A copy is fitted to at most 16,384 rows,
        chosen at random, unless it was fitted before. The codes of a coded store are taken as they are.
    lists : int, optional
        How many; the root of the number of rows where not given.
    nprobe : int, optional
        Lists visited per query; the root of the number of lists where not given.

    Attributes
    ----------
    stored : BaseCodec
        The fitted codec, after `build`.
    index : faiss.Index
        The FAISS object itself, after `build` or `load`. Its row numbers are places.
    """

    def __init__(
        self, codec: BaseCodec | None = None, *, lists: Count | None = None, nprobe: Count | None = None
    ) -> None:
        super().__init__("IVF", nprobe=nprobe)
        self.codec, self.lists = codec, lists

    def coded(self, codec: BaseCodec) -> Self:
        """Return this index with rows stored by a codec."""
        self.codec = codec
        return self

    def _build(self, rows: Rows) -> None:
        self.stored = codec_for(rows, self.codec or ProductQuantizer(), given=self.codec is not None)
        n = self.lists or _root(len(rows))
        if n > len(rows):
            raise ValueError(f"lists: expected at most one for each of {len(rows):,} rows, got {n:,}")
        index = self.stored.to_faiss(n)
        lists = inmost(index)
        with matrix_products():
            seen = sample(rows, max(_TRAIN, _TRAIN_PER_LIST * n))
            centroids = faiss.Kmeans(lists.d, n, spherical=True, min_points_per_centroid=1)
            centroids.train(_turned(index, seen))
        lists.quantizer.add(centroids.centroids)
        index.is_trained = lists.is_trained = True
        self.index = index
        self._put(rows, 0)
        self.index = self._tuned(index)

    @matrix_products()
    def _put(self, rows: Rows, place: int) -> None:
        """Put rows into the lists, in the places from `place` on."""
        lists = inmost(self.index)
        for block in codes_of(rows, self.stored):
            for start in range(0, len(block), _BLOCK):
                codes = np.ascontiguousarray(block[start : start + _BLOCK])
                _, nearest = lists.quantizer.search(_turned(self.index, self.stored.decode(codes)), 1)
                numbers = np.ascontiguousarray(nearest, "<i8").view(np.uint8)[:, : lists.coarse_code_size()]
                lists.add_sa_codes(np.hstack([numbers, codes]), np.arange(place, place + len(codes)))
                place += len(codes)
        self.index.ntotal = lists.ntotal

    def _tuned(self, index: Any) -> Any:
        inmost(index).nprobe = self.nprobe or _root(inmost(index).nlist)
        return index

    def _add(self, rows: Rows) -> None:
        self._put(rows, self.ids.n_places)

    def _search(self, queries: Vectors, top_k: int, filter_ids: Places | None) -> tuple[Vectors, Places]:
        if filter_ids is not None:
            raise ValueError(
                "lists of codes cannot look among some rows only: choose index=exact, which takes the same codes"
            )
        turned = _turned(self.index, queries)
        _, places, said = inmost(self.index).search_and_reconstruct(turned, min(_AGAIN * top_k, self.index.ntotal))
        near, scores = places >= 0, np.full(places.shape, -np.inf, np.float32)
        scores[near] = np.einsum("cd,cd->c", unit_rows(said[near], "what codes say"), turned[np.nonzero(near)[0]])
        best = np.argsort(-scores, axis=1, kind="stable")[:, :top_k]
        return np.take_along_axis(scores, best, 1), np.take_along_axis(places, best, 1)

    def _write(self, folder: Path) -> None:
        super()._write(folder)
        self.stored.save(folder / "codec")

    def _read(self, folder: Path) -> None:
        super()._read(folder)
        self.stored = load_codec(folder / "codec")
        lists = inmost(self.index)
        if not isinstance(lists, faiss.IndexIVF) or lists.code_size != self.stored.bytes_per_vector(self.dimension):
            raise ValueError(f"{folder}: expected lists of codes of {self.stored.name}, got others; build it again")

    def _nbytes(self) -> int:
        return super()._nbytes() + int(sum(array.nbytes for array in self.stored.state.values()))

    def footprint(self, n: int, dimension: int) -> Footprint:
        """Return what `n` rows of a width would take: codes and numbers, tables and centroids."""
        codec = self.codec or ProductQuantizer()
        shared = 2 * sum(int(np.prod(shape)) for shape in codec._shapes(dimension).values())  # FAISS's and the codec's
        shared += (self.lists or _root(n)) * dimension
        size = n * (codec.bytes_per_vector(dimension) + 8) + 4 * shared
        return Footprint(size, size)


def _turned(index: Any, rows: Vectors) -> Vectors:
    """Return rows as the lists hold them."""
    if not isinstance(index, faiss.IndexPreTransform):
        return np.ascontiguousarray(rows)
    turned: Vectors = faiss.downcast_VectorTransform(index.chain.at(0)).apply(np.ascontiguousarray(rows))
    return turned


def _root(n: int) -> int:
    return max(int(n**0.5), 1)
