"""What a teacher for inner products keeps: exact search with lengths, beside cosine, heads, PCA and a student.

    python scripts/quality/inner_products.py MODEL SET OUT [--widths 32 64 128] [--longest 8.6] [--drop-normalize]

MODEL is a sentence-transformers model, a folder or a name on the hub, that says ``similarity_fn_name: dot`` and does
not end in a Normalize; --drop-normalize makes one of any other, for a look at lengths that matter. SET is a folder in
the BEIR layout or its name on the hub. OUT keeps vectors, the model without its Normalize, and students. Heads and PCA
see documents and sentences of them; real queries and judgments are measured on only.

Prints nDCG@10, and the share of the ten nearest by exact search over the model's own rows, lengths and all, that each
finds.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Normalize
from tabulate import tabulate

from projhead import LearnedReducer, Retrieval, assemble, embed, export, load_encoder, pca_forms, pseudo_queries
from projhead.corpora.retrieval import RetrievalSet, load_beir
from projhead.encoders.one_sided import OneSided
from projhead.encoders.reduced import Reduced
from projhead.encoders.sentence_transformer import SentenceTransformerEncoder
from projhead.protocols import Encoder
from projhead.vectors import Vectors, exact_top_k, unit_rows

_TOP_K = 10


class _Once:
    """An encoder that encodes the same texts once, as every form asks for them again."""

    def __init__(self, encoder: Any) -> None:
        self._encoder, self._kept = encoder, dict[Any, Vectors]()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._encoder, name)

    def encode_query(self, texts: Sequence[str], *, show_progress: bool = False) -> Vectors:
        return self._rows("encode_query", texts)

    def encode_document(self, texts: Sequence[str], *, show_progress: bool = False) -> Vectors:
        return self._rows("encode_document", texts)

    def encode(self, texts: Sequence[str], *, show_progress: bool = False) -> Vectors:
        return self._rows("encode", texts)

    def _rows(self, way: str, texts: Sequence[str]) -> Vectors:
        key = way, tuple(texts)
        if key not in self._kept:
            self._kept[key] = getattr(self._encoder, way)(texts)
        return self._kept[key].copy()


class _Cosine(OneSided):
    """The model's rows without their lengths: what projhead must not answer with."""

    def __init__(self, encoder: SentenceTransformerEncoder) -> None:
        self.model, self.name, self.dimension = encoder.model, "cosine", encoder.width
        self.identity = encoder.identity

    def encode(self, texts: Sequence[str], *, show_progress: bool = False) -> Vectors:
        return unit_rows(self.model.encode(list(texts), show_progress_bar=show_progress))


def forms(encoder: SentenceTransformerEncoder, data: RetrievalSet, out: Path, widths: list[int]) -> Iterator[Any]:
    """Yield a name, a width and an encoder each."""
    once = _Once(encoder)
    yield "teacher", encoder.dimension, once
    yield "teacher, lengths dropped", encoder.width, _Cosine(encoder)
    name = f"{encoder.identity.key}-{data.name}"
    store = embed(once, data.corpus, out=out / name, dtype="float32")
    queries = pseudo_queries(store)
    for k in widths:
        for reducer in pca_forms(k):
            yield reducer.kind, k, Reduced(once, reducer.fit(store))
        head = LearnedReducer(k).fit(store, queries=queries)
        yield "head", k, Reduced(once, head)
        texts = [document.text for document in data.corpus][:400]
        export(assemble(encoder, head), out / f"student-{k}", format="onnx", calibrate=texts)
        yield "head, exported to ONNX", k, load_encoder(out / f"student-{k}")


def measured(encoder: Encoder, data: RetrievalSet, task: Retrieval, nearest: Any) -> tuple[float, float]:
    """Return nDCG@10 of the queries, and the share of `nearest` (q, 10) that is found."""
    encoder = _Once(encoder)
    (ndcg,) = (one for one in task.run(encoder, encoder) if one.metric == "ndcg@10")
    queries, documents = ([one.text for one in texts] for texts in (data.queries, data.corpus))
    found = exact_top_k(encoder.encode_query(queries), encoder.encode_document(documents), _TOP_K)[1]
    return float(ndcg.items.mean()), float(
        np.mean([np.isin(*pair).mean() for pair in zip(found, nearest, strict=True)])
    )


def without_normalize(path: str, out: Path) -> Path:
    """Write a model of inner products: one that says so, and whose rows have their lengths."""
    modules = [one for one in load_encoder(path).model if not isinstance(one, Normalize)]
    model = SentenceTransformer(modules=modules, similarity_fn_name="dot")
    model.save_pretrained(str(out), create_model_card=False)
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("set")
    parser.add_argument("out", type=Path)
    parser.add_argument("--widths", type=int, nargs="+", default=[32, 64, 128])
    parser.add_argument("--longest", type=float, help="a length that no document exceeds; found where not given")
    parser.add_argument("--drop-normalize", action="store_true")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    path = without_normalize(given.model, given.out / "model") if given.drop_normalize else given.model
    encoder = SentenceTransformerEncoder(str(path), longest=given.longest)
    if encoder.longest is None:
        raise SystemExit(f"{path}: expected a model whose rows' lengths matter, got unit rows; --drop-normalize")
    data, task = load_beir(given.set), Retrieval(given.set)
    queries, documents = ([one.text for one in texts] for texts in (data.queries, data.corpus))
    rows = encoder.model.encode_document(documents)
    nearest = exact_top_k(encoder.model.encode_query(queries), rows, _TOP_K)[1]
    lengths = np.linalg.norm(rows, axis=1)
    print(
        f"lengths of {len(rows):,} documents: {lengths.min():.3g} to {lengths.max():.3g}, longest {encoder.longest:g}"
    )
    table = [
        [name, k, *measured(one, data, task, nearest)] for name, k, one in forms(encoder, data, given.out, given.widths)
    ]
    print(tabulate(table, ["form", "width", "ndcg@10", "of the 10 nearest"], tablefmt="github", floatfmt=".4f"))


if __name__ == "__main__":
    main()
