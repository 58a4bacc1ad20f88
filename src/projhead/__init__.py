"""Learned low-dimensional projection heads: the trained alternative to PCA for sentence embeddings."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from projhead.collection import Collection
    from projhead.corpora.texts import read_texts
    from projhead.encoders.load import load_encoder
    from projhead.encoders.pseudo_queries import pseudo_queries
    from projhead.evaluation.compare import compare
    from projhead.exporters.by_format import export
    from projhead.hub.send import push
    from projhead.reducers.base import load_reducer
    from projhead.reducers.learned import LearnedReducer
    from projhead.reducers.pca import PCA
    from projhead.reducers.pca_forms import pca_forms
    from projhead.store.embed import embed
    from projhead.store.store import EmbeddingStore
    from projhead.students.assemble import assemble
    from projhead.students.distill_head import distill
    from projhead.tasks.retrieval import Retrieval

__all__ = [
    "PCA",
    "Collection",
    "EmbeddingStore",
    "LearnedReducer",
    "Retrieval",
    "assemble",
    "compare",
    "distill",
    "embed",
    "export",
    "load_encoder",
    "load_reducer",
    "pca_forms",
    "pseudo_queries",
    "push",
    "read_texts",
]

# Imported when first asked for: `projhead --help` need not wait for torch.
_HOMES = {
    "PCA": "projhead.reducers.pca",
    "Collection": "projhead.collection",
    "EmbeddingStore": "projhead.store.store",
    "LearnedReducer": "projhead.reducers.learned",
    "Retrieval": "projhead.tasks.retrieval",
    "assemble": "projhead.students.assemble",
    "compare": "projhead.evaluation.compare",
    "distill": "projhead.students.distill_head",
    "embed": "projhead.store.embed",
    "export": "projhead.exporters.by_format",
    "load_encoder": "projhead.encoders.load",
    "load_reducer": "projhead.reducers.base",
    "pca_forms": "projhead.reducers.pca_forms",
    "pseudo_queries": "projhead.encoders.pseudo_queries",
    "push": "projhead.hub.send",
    "read_texts": "projhead.corpora.texts",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        from difflib import get_close_matches

        alike = "".join(f"; did you mean {one}?" for one in get_close_matches(name, __all__, 1))
        raise AttributeError(f"module 'projhead' has no attribute {name!r}{alike}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
