"""An encoder with a reducer behind it."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path

import numpy as np

from projhead.encoders.lifted import agree
from projhead.persistence.identity import EncoderIdentity
from projhead.persistence.registry import spec_of
from projhead.protocols import Encoder
from projhead.reducers.base import Reducer, load_reducer
from projhead.vectors import Vectors


class Reduced:
    """Teacher, then reducer: texts to unit rows of the reduced width.

    Parameters
    ----------
    encoder : Encoder
        The teacher.
    reducer : Reducer or path
        Fitted to that teacher's vectors, or the artifact folder of one.

    Attributes
    ----------
    fitted : Reducer
        The reducer itself.

    Raises
    ------
    ValueError
        If the reducer was fitted to another teacher, or to another width.
    """

    def __init__(self, encoder: Encoder, reducer: Reducer | str | Path) -> None:
        self.encoder = encoder
        # A folder is kept by its full path, so that a record of this encoder holds from everywhere.
        self.reducer = os.path.abspath(reducer) if isinstance(reducer, str | Path) else reducer
        self.fitted = load_reducer(self.reducer) if isinstance(self.reducer, str) else self.reducer
        agree(encoder, self.fitted.teacher_)
        self.fitted.check_fits(encoder.identity)
        self.name = f"{encoder.name} + {self.fitted.kind}"
        self.dimension, self.two_sided = self.fitted.n_components_, encoder.two_sided

    @cached_property
    def identity(self) -> EncoderIdentity:
        """That of the teacher, with a digest of its fingerprint, the head's kind and its weights."""
        teacher = self.encoder.identity
        head = json.dumps(getattr(self.fitted.head_, "_record", None) or spec_of(self.fitted.head_), sort_keys=True)
        digest = hashlib.sha256(f"{teacher.fingerprint} {head}".encode())
        for name, tensor in self.fitted.head_.state_dict().items():
            digest.update(name.encode() + tensor.numpy().tobytes())
        own = replace(teacher, name=self.name, fingerprint=digest.hexdigest()[:16], dimension=self.dimension)
        return replace(own, unit=True, longest=0.0)

    def encode_query(self, texts: Sequence[str], *, show_progress: bool = False) -> Vectors:
        """Return unit rows (n, k), float32, of texts that ask."""
        return self._reduced(self.encoder.encode_query(texts, show_progress=show_progress))

    def encode_document(self, texts: Sequence[str], *, show_progress: bool = False) -> Vectors:
        """Return unit rows (n, k), float32, of texts that are searched."""
        return self._reduced(self.encoder.encode_document(texts, show_progress=show_progress))

    def encode(self, texts: Sequence[str], *, show_progress: bool = False) -> Vectors:
        """Return unit rows (n, k), float32, in the order of `texts`."""
        return self._reduced(self.encoder.encode(texts, show_progress=show_progress))

    def _reduced(self, rows: Vectors) -> Vectors:
        reduced: Vectors = self.fitted.transform(rows) if len(rows) else np.empty((0, self.dimension), np.float32)
        return reduced
