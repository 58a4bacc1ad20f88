"""An encoder with a reducer behind it."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np

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
        teacher = self.fitted.teacher_
        if teacher is not None and not teacher.is_of(encoder.revision):
            raise ValueError(
                f"the reducer was fitted to {teacher.name} (revision {teacher.revision}), got {encoder.name} "
                f"(revision {encoder.revision}); choose that teacher with encoder=..., or train again"
            )
        if self.fitted.n_features_in_ != encoder.dimension:
            raise ValueError(
                f"the reducer takes vectors of width {self.fitted.n_features_in_}, "
                f"{encoder.name} gives width {encoder.dimension}"
            )
        self.name = f"{encoder.name} + {self.fitted.kind}"
        self.dimension, self.two_sided = self.fitted.n_components_, encoder.two_sided

    @cached_property
    def revision(self) -> str:
        """Digest of the teacher's revision, the head's kind and its weights."""
        head = json.dumps(getattr(self.fitted.head_, "_record", None) or spec_of(self.fitted.head_), sort_keys=True)
        digest = hashlib.sha256(f"{self.encoder.revision} {head}".encode())
        for name, tensor in self.fitted.head_.state_dict().items():
            digest.update(name.encode() + tensor.numpy().tobytes())
        return digest.hexdigest()[:16]

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
