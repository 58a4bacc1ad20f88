"""An encoder whose documents are stored in fewer bytes."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from functools import cached_property
from typing import NamedTuple

import numpy as np

from projhead.protocols import Codec, Encoder
from projhead.vectors import Vectors

#: Rows that a codec is fitted to, at most: 64 for each of a product quantiser's centroids, of which FAISS asks 39.
_FIT_ROWS = 16_384


class Calibration(NamedTuple):
    """Texts that codecs are fitted to, and what to call them."""

    name: str
    texts: Sequence[str]


class Coded:
    """Queries as the encoder gives them, documents as a codec brings them back.

    Parameters
    ----------
    encoder : Encoder
        What encodes.
    codec : Codec
        A copy of it is fitted to what it is to store.
    calibration : Calibration, optional
        Texts whose vectors the codec is fitted to, where it learns anything. Where not given it is fitted to the
        documents themselves, as an index is. Of more than 16,384 that many are chosen, always the same.

    Attributes
    ----------
    stored : str
        How documents are stored: the codec's name, and what it was fitted to if not to them.
    bytes_per_vector : int

    Raises
    ------
    ValueError
        If the codec cannot store rows of the encoder's width.
    """

    def __init__(self, encoder: Encoder, codec: Codec, calibration: Calibration | None = None) -> None:
        self.encoder, self.codec = encoder, codec
        self.calibration = calibration if codec.learns else None
        self.bytes_per_vector = codec.bytes_per_vector(encoder.dimension)
        self.stored = codec.name if self.calibration is None else f"{codec.name} ({self.calibration.name})"
        self.name, self.revision, self.dimension = f"{encoder.name}, {self.stored}", encoder.revision, encoder.dimension

    def encode(self, texts: Sequence[str], *, show_progress: bool = False) -> Vectors:
        """Return unit rows (n, d), float32, untouched by the codec."""
        return self.encoder.encode(texts, show_progress=show_progress)

    def encode_documents(self, texts: Sequence[str], *, show_progress: bool = False) -> Vectors:
        """Return unit rows (n, d), float32: what the codes of the texts' vectors say.

        Raises
        ------
        ValueError
            If there are too few rows to fit the codec to.
        """
        rows = self.encoder.encode(texts, show_progress=show_progress)
        codec = self._fitted(rows) if self.calibration is None else self._calibrated
        return codec.decode(codec.encode(rows))

    @cached_property
    def _calibrated(self) -> Codec:
        return self._fitted(self.encoder.encode(self.calibration.texts if self.calibration else []))

    def _fitted(self, rows: Vectors) -> Codec:
        """Return a codec of our own: the given one may be fitted elsewhere to other rows."""
        codec = copy(self.codec)
        codec.fit(_sample(rows))
        return codec


def _sample(rows: Vectors) -> Vectors:
    if len(rows) <= _FIT_ROWS:
        return rows
    return rows[np.sort(np.random.default_rng(0).permutation(len(rows))[:_FIT_ROWS])]
