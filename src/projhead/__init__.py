"""Learned low-dimensional projection heads: the trained alternative to PCA for sentence embeddings."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from projhead.encoders.load import load_encoder
    from projhead.encoders.sentence_transformer import SentenceTransformerEncoder
    from projhead.reducers.base import load_reducer
    from projhead.reducers.learned import LearnedReducer
    from projhead.reducers.pca import PCA
    from projhead.reducers.random_projection import RandomProjection
    from projhead.reducers.truncation import Truncation
    from projhead.store.store import EmbeddingStore
    from projhead.students.assemble import assemble

__all__ = [
    "PCA",
    "EmbeddingStore",
    "LearnedReducer",
    "RandomProjection",
    "SentenceTransformerEncoder",
    "Truncation",
    "assemble",
    "load_encoder",
    "load_reducer",
]

# Imported when first asked for: `projhead --help` need not wait for torch.
_HOMES = {
    "PCA": "projhead.reducers.pca",
    "EmbeddingStore": "projhead.store.store",
    "LearnedReducer": "projhead.reducers.learned",
    "RandomProjection": "projhead.reducers.random_projection",
    "SentenceTransformerEncoder": "projhead.encoders.sentence_transformer",
    "Truncation": "projhead.reducers.truncation",
    "assemble": "projhead.students.assemble",
    "load_reducer": "projhead.reducers.base",
    "load_encoder": "projhead.encoders.load",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'projhead' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
