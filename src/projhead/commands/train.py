"""``projhead train``: corpus and teacher to store to artifact, and the head against PCA."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from hydra.utils import instantiate
from numpy.typing import NDArray
from omegaconf import DictConfig

from projhead.artifact import Teacher
from projhead.codecs.base import BaseCodec, fitted_copy, sample_rows
from projhead.commands.measure import System, result_rows, teacher_of
from projhead.commands.run_folder import claim, run_folder
from projhead.corpora.pseudo_queries import Queries
from projhead.corpora.split import in_test
from projhead.encoders.precomputed import Precomputed
from projhead.protocols import Corpus, Document, Encoder, Sample
from projhead.reducers.base import Reducer, load_reducer
from projhead.report.tables import markdown
from projhead.results import Result, append_results, read_results
from projhead.shards import fingerprint
from projhead.store import store_path, write_store
from projhead.training.central import central
from projhead.vectors import neighbour_overlap, unit_rows

_TOP_K = (1, 10, 100)
#: What decides a run's result.
_DECIDING = ("encoder", "corpus", "queries", "reducer", "codec", "n_components", "seed", "dtype")


def run(cfg: DictConfig) -> float:
    """Train, compare, save; return the reducer's overlap of the 10 nearest on held-out vectors."""
    folder = run_folder()
    artifact, results = folder / "artifact", folder / "results.jsonl"
    claim(folder, cfg, _DECIDING)
    if artifact.exists():
        print(f"{folder} is finished already; its results:\n")
        return _conclude(results, artifact)
    encoder: Encoder = instantiate(cfg.encoder)
    vectors = teacher_vectors(cfg, encoder)
    train, queries = vectors.train, vectors.queries
    reducer: Reducer = instantiate(cfg.reducer, _convert_="all")
    codec = _one_codec(cfg, reducer)
    print(f"fit {reducer.kind}, {train.shape[1]} -> {cfg.n_components}, on {len(train):,} vectors", end="")
    print(f" and {len(queries):,} queries" if queries is not None else "", end="")
    print("" if codec is None else f", through {codec.name}: {codec.bytes_per_vector(cfg.n_components)} bytes a vector")
    _fit(reducer, vectors, folder)
    baselines: dict[str, Reducer] = {name: instantiate(baseline) for name, baseline in cfg.baselines.items()}
    for baseline in baselines.values():
        baseline.fit(train)
    test, teacher = unit_rows(vectors.test[: cfg.max_test_rows]), teacher_of(encoder)
    widths = [*getattr(reducer, "nested", ()), cfg.n_components]
    cut = {width: (reducer.prefix(width), {n: one.prefix(width) for n, one in baselines.items()}) for width in widths}
    measure = partial(_compare, train=train, test=test, teacher=teacher, codec=codec, seed=cfg.seed)
    rows = [row for head, rivals in cut.values() for row in measure(head, rivals)]
    results.unlink(missing_ok=True)
    append_results(results, rows)
    # The artifact comes last: where it exists, all of the run does.
    for width, (head, rivals) in cut.items():
        part = folder if width == cfg.n_components else folder / "nested" / str(width)
        for name, rival in rivals.items():
            rival.save(part / "baselines" / name, teacher=teacher)
        if head.codec_ is not None:
            head.codec_.save(part / "codec")
        card = f"# projhead artifact: {head.kind}, {teacher.name}, {train.shape[1]} -> {width}\n\n"
        head.save(part / "artifact", teacher=teacher, card=card + markdown(rows))
    return _conclude(results, artifact)


class TeacherVectors(NamedTuple):
    """The teacher's vectors of what a run needs; `pairs` says which document answers which query, by their numbers."""

    train: Any
    test: Any
    queries: Any = None
    pairs: NDArray[np.int64] | None = None


def teacher_vectors(cfg: DictConfig, encoder: Encoder) -> TeacherVectors:
    """Return the teacher's vectors of training documents, held-out documents and queries (None without any)."""
    if isinstance(encoder, Precomputed):
        held_out = np.array([in_test(text) for text in encoder.texts_or_rows()])
        return TeacherVectors(encoder.rows[~held_out], encoder.rows[held_out])
    corpus: Corpus = instantiate(cfg.corpus)
    texts, held_out_texts = ([document.text for document in corpus.documents(split)] for split in ("train", "test"))
    queries: Queries = instantiate(cfg.queries)(texts)
    train = _store(cfg, encoder, f"{corpus.name}-train", texts)
    test = _store(cfg, encoder, f"{corpus.name}-test", held_out_texts)
    if not queries.texts:
        return TeacherVectors(train, test)
    rows = _store(cfg, encoder, f"{corpus.name}-queries", queries.texts)
    kept = central(rows[: len(queries.documents)], train, queries.documents, queries.keep)
    others = np.arange(len(queries.documents), len(rows))
    dropped = len(queries.documents) - len(kept)
    return TeacherVectors(train, test, rows[np.concatenate([kept, others])], queries.pairs - np.array([dropped, 0]))


def _store(cfg: DictConfig, encoder: Encoder, name: str, texts: Sequence[str]) -> Any:
    """Return the vectors of texts from their store, built if it does not exist yet; `Cached` finds it too."""
    path = store_path(Path(cfg.paths.stores), encoder, fingerprint(texts), cfg.dtype)
    print(f"teacher's vectors of {len(texts):,} {name}: {path}")
    store = write_store(
        path,
        encoder,
        (Document(str(number), text) for number, text in enumerate(texts)),
        name=name,
        dtype=cfg.dtype,
        total=len(texts),
        show_progress=True,
        keep_texts=False,
    )
    return store.rows


def _fit(reducer: Reducer, vectors: TeacherVectors, folder: Path) -> None:
    if reducer.kind != "learned":
        reducer.fit(vectors.train)
        return
    last = folder / "checkpoints" / "last.ckpt"
    if last.exists():
        print(f"going on from {last}")
    resume = last if last.exists() else None
    reducer.fit(vectors.train, queries=vectors.queries, pairs=vectors.pairs, resume=resume)


def _one_codec(cfg: DictConfig, reducer: Reducer) -> BaseCodec | None:
    """Hand the codec that was asked for to the reducer, and return it."""
    codecs: list[BaseCodec] = list(instantiate(cfg.codec or {}).values())
    if not codecs:
        return None
    if len(codecs) > 1 or reducer.kind != "learned":
        names = ", ".join(codec.name for codec in codecs)
        raise ValueError(f"codec: expected one, with reducer=learned, got {names} with {reducer.kind}; sweep with -m")
    reducer.set_params(codec=codecs[0])
    return codecs[0]


def _compare(
    reducer: Reducer,
    baselines: dict[str, Reducer],
    *,
    train: Any,
    test: Any,
    teacher: Teacher,
    codec: BaseCodec | None,
    seed: int,
) -> list[Result]:
    """Measure how much of the held-out vectors' neighbourhoods each reducer keeps; all are stored in the codec."""
    top_k = [k for k in _TOP_K if k < len(test)]
    if not top_k:
        raise ValueError(f"expected at least 2 held-out vectors to compare reducers on, got {len(test)}")

    def system(name: str, fitted: Reducer, rivals: Sequence[System] = ()) -> System:
        queries = documents = fitted.transform(test)
        stored_as, size = "float32", None
        if codec is not None:
            own = fitted.codec_ or fitted_copy(codec, fitted.transform(sample_rows(train)))
            documents = own.decode(own.encode(queries))
            stored_as, size = codec.name, codec.bytes_per_vector(fitted.n_components)
        overlap = neighbour_overlap(test, documents, top_k, queries=queries)
        samples = [Sample("held-out", f"overlap@{k}", overlap[:, i].astype(np.float64)) for i, k in enumerate(top_k)]
        return System(name, fitted.n_components, seed, samples, rivals, stored_as, size)

    others = [system(name, fitted) for name, fitted in baselines.items()]
    rivals = [one for one in others if one.reducer.startswith("pca")]
    if reducer.kind in baselines:  # a baseline was asked for: it is in the table already
        return result_rows(others, teacher)
    return result_rows([system(reducer.kind, reducer, rivals), *others], teacher)


def _conclude(results: Path, artifact: Path) -> float:
    rows = read_results(results)
    print(f"\n{markdown(rows)}\n\nartifact: {artifact}\n\nmeasure it on tasks: projhead evaluate artifact={artifact}")
    reducer = load_reducer(artifact)
    wanted = (reducer.kind, reducer.n_components, "overlap@10", "")
    return next(r.value for r in rows if (r.reducer, r.n_components, r.metric, r.baseline) == wanted)
