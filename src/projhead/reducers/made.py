"""The provenance of a fitted reducer."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from projhead.codecs.base import BaseCodec
from projhead.persistence.identity import EncoderIdentity
from projhead.store.store import EmbeddingStore


class Made:
    """Whose vectors a reducer was fitted to, of what, and how that went.

    Attributes
    ----------
    teacher_ : EncoderIdentity or None
        The encoder whose vectors were seen, None for bare arrays.
    store_ : EmbeddingStore or None
        The store that was fitted to, where it was one; not saved.
    provenance_ : dict
        What the fit was made of, as JSON holds it: corpus, rows, queries, seed; of a trained head its loss, optimizer
        and schedule as they were, with nothing left open. Artifacts of older versions say none of it.
    training_ : dict
        Numbers of the fit, for the card.
    sample_ : ndarray of shape (m, d), float16
        Up to 64 of the unit rows that were seen, which exports of the head alone are measured on; artifacts of older
        versions have none.
    codec_ : BaseCodec or None
        The codec of reduced rows that the head was trained with.
    """

    teacher_: EncoderIdentity | None = None
    store_: EmbeddingStore | None = None
    codec_: BaseCodec | None = None
    sample_: NDArray[np.float16]

    @property
    def training_(self) -> dict[str, Any]:
        """Numbers of the fit that JSON can hold."""
        return getattr(self, "_training", {})

    @property
    def provenance_(self) -> dict[str, Any]:
        """What the fit was made of."""
        made: dict[str, Any] = self.__dict__.setdefault("_provenance", {})
        return made

    @property
    def seed(self) -> int | None:
        """The seed of what is random in a fit; None where nothing is, or no number was given."""
        seed = getattr(self, "random_state", None)
        return seed if isinstance(seed, int) else None

    @property
    def kept_sample(self) -> NDArray[np.float16] | None:
        """``sample_``, None where the artifact is of an older version."""
        return self.__dict__.get("sample_")
