"""An encoder whose document rows go through a codec."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import NamedTuple, Self

from projhead.codecs.base import fitted_copy
from projhead.protocols import Codec, Corpus, Encoder
from projhead.vectors import Vectors


class Calibration(NamedTuple):
    """Texts that codecs are fitted to, and what to call them."""

    name: str
    texts: Sequence[str]

    @classmethod
    def of(cls, corpus: Corpus) -> Self:
        """Take the training documents of a corpus."""
        return cls(corpus.name, [document.text for document in corpus.documents("train")])


class Coded:
    """Queries as the encoder gives them, documents to be `stored`: as a codec brings them back.

    Parameters
    ----------
    encoder : Encoder
        What encodes.
    codec : Codec
        A copy of it is fitted to what it is to store.
    calibration : Calibration, optional
        Texts whose vectors the codec is fitted to, where it learns anything. Where not given it is fitted to the
        documents themselves, as an index is. Of more than 16,384 that many are chosen, always the same.
    trained : bool
        The codec is fitted, was trained with the encoder's head, and is used as it is.

    Attributes
    ----------
    fitted_to : str
        What the codec was fitted to: a corpus, ``"trained"`` with the head, or, where empty, the documents themselves.
    bytes_per_vector : int

    Raises
    ------
    ValueError
        If the codec cannot store rows of the encoder's width.
    """

    def __init__(
        self, encoder: Encoder, codec: Codec, calibration: Calibration | None = None, *, trained: bool = False
    ) -> None:
        self.encoder, self.codec, self.trained = encoder, codec, trained
        self.calibration = calibration if codec.learns and not trained else None
        self.bytes_per_vector = codec.bytes_per_vector(encoder.dimension)
        self.fitted_to = "trained" if trained else "" if self.calibration is None else self.calibration.name
        self.name, self.identity = f"{encoder.name}, {codec.name}", encoder.identity
        self.dimension, self.two_sided = encoder.dimension, encoder.two_sided

    def encode_query(self, texts: Sequence[str], *, show_progress: bool = False) -> Vectors:
        """Return unit rows (n, d), float32, untouched by the codec."""
        return self.encoder.encode_query(texts, show_progress=show_progress)

    def encode_document(self, texts: Sequence[str], *, show_progress: bool = False) -> Vectors:
        """Return unit rows (n, d), float32, before they are `stored`."""
        return self.encoder.encode_document(texts, show_progress=show_progress)

    def encode(self, texts: Sequence[str], *, show_progress: bool = False) -> Vectors:
        """Return unit rows (n, d), float32, untouched by the codec."""
        return self.encoder.encode(texts, show_progress=show_progress)

    def stored(self, rows: Vectors) -> Vectors:
        """Return unit rows (n, d), float32: what the codes of `rows` say.

        Raises
        ------
        ValueError
            If there are too few rows to fit the codec to.
        """
        codec = self.settled(rows)
        return codec.decode(codec.encode(rows))

    def settled(self, rows: Vectors) -> Codec:
        """Return the codec as it is to be used: trained, or fitted to the calibration, or else to `rows`.

        Raises
        ------
        ValueError
            If there are too few rows to fit it to.
        """
        if self.trained:
            return self.codec
        return fitted_copy(self.codec, rows) if self.calibration is None else self._calibrated

    @cached_property
    def _calibrated(self) -> Codec:
        return fitted_copy(self.codec, self.encoder.encode_document(self.calibration.texts if self.calibration else []))
