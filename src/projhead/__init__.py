"""Learned low-dimensional projection heads: the trained alternative to PCA for sentence embeddings."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from projhead.encoders.exported import load_student
    from projhead.encoders.sentence_transformer import SentenceTransformerEncoder
    from projhead.reducers.base import load_reducer
    from projhead.reducers.learned import LearnedReducer
    from projhead.reducers.pca import PCA
    from projhead.reducers.random_projection import RandomProjection
    from projhead.reducers.truncation import Truncation
    from projhead.store import EmbeddingStore
    from projhead.student import build_student

__all__ = [
    "PCA",
    "EmbeddingStore",
    "LearnedReducer",
    "RandomProjection",
    "SentenceTransformerEncoder",
    "Truncation",
    "build_student",
    "load_reducer",
    "load_student",
]

# Imported when first asked for: `projhead --help` need not wait for torch.
_HOMES = {
    "PCA": "projhead.reducers.pca",
    "EmbeddingStore": "projhead.store",
    "LearnedReducer": "projhead.reducers.learned",
    "RandomProjection": "projhead.reducers.random_projection",
    "SentenceTransformerEncoder": "projhead.encoders.sentence_transformer",
    "Truncation": "projhead.reducers.truncation",
    "build_student": "projhead.student",
    "load_reducer": "projhead.reducers.base",
    "load_student": "projhead.encoders.exported",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'projhead' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
