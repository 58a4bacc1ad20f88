"""What the quality benchmarks share: vectors from files or an encoder, timed fits, rows that say how they were made."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from projhead import PCA, load_encoder
from projhead.corpora.queries import pseudo_queries
from projhead.corpora.retrieval import RetrievalSet, load_beir
from projhead.data import Scores
from projhead.encoders.precomputed import Precomputed
from projhead.persistence.identity import EncoderIdentity
from projhead.protocols import Encoder
from projhead.reducers.base import Reducer
from projhead.reducers.pca_power import PCAPower
from projhead.reducers.random_projection import RandomProjection
from projhead.reducers.truncation import Truncation
from projhead.report.results import Result, append_results, read_results
from projhead.vectors import Vectors, exact_top_k, unit_rows

sys.path.append(str(Path(__file__).parents[1]))  # where bench is
from bench import parser as bench_parser
from bench import timed as bench_timed

#: Documents that a query's score looks at.
RANKS = 10
Fitted = TypeVar("Fitted")
#: Published models by the names of `encoder=`.
_NAMES = {"minilm": "all-MiniLM-L6-v2", "mpnet": "all-mpnet-base-v2"}


def parser(description: str | None, out: str) -> argparse.ArgumentParser:
    """Return a parser of what all benchmarks take."""
    made = bench_parser(description)
    made.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    made.add_argument("--threads", type=int, default=torch.get_num_threads())
    made.add_argument("--out", type=Path, default=Path("docs/results") / out, help="rows are appended")
    return made


def sets_parser(description: str | None, out: str) -> argparse.ArgumentParser:
    """Return a parser of what benchmarks on retrieval sets take, for `collection`."""
    made = parser(description, out)
    made.add_argument("vectors", type=Path)
    made.add_argument("sets", nargs="+")
    made.add_argument("--encoder", default="minilm", help="minilm, mpnet, or what load_encoder takes")
    return made


def parsed(made: argparse.ArgumentParser) -> argparse.Namespace:
    """Return the arguments, with torch held to the threads."""
    args = made.parse_args()
    torch.set_num_threads(args.threads)
    return args


def timed(fit: Callable[[], Fitted]) -> tuple[Fitted, float]:
    """Return what a fit gives, and its minutes of one core: what else runs on the machine does not count."""
    fitted, took = bench_timed(fit)
    return fitted, took.processor / 60


def pca_forms(k: int) -> list[Reducer]:
    """Return every form of PCA that a head has to beat."""
    return [PCA(k), PCA(k, center=False), PCA(k, whiten=True), PCAPower(k)]


def other_baselines(k: int) -> list[Reducer]:
    """Return what else reduces without being trained."""
    return [RandomProjection(k), Truncation(k)]


def write(path: Path, rows: Iterable[Result], minutes: float = 0.0) -> None:
    """Append rows with the command and the minutes of the fit, those of baselines with what they have."""
    command = shlex.join(["python", *sys.argv])
    append_results(
        path, [replace(row, command=command, minutes=minutes if row.role == "subject" else row.minutes) for row in rows]
    )


def done(path: Path) -> set[tuple[str, int, int, str]]:
    """Return (task, width, seed, reducer) of the rows that are there, so that a run goes on where it was."""
    rows = read_results(path) if path.exists() else []
    return {(row.task, row.n_components, row.seed, row.reducer) for row in rows}


class CollectionTexts(NamedTuple):
    """What the vectors of a collection are of: documents, sentences of them, and queries by the name of their set."""

    documents: list[str]
    sentences: list[str]
    queries: dict[str, list[str]]


class Collection(NamedTuple):
    """Several retrieval sets as one corpus, as a teacher sees it.

    Attributes
    ----------
    teacher : EncoderIdentity
    documents, sentences : ndarray of shape (n, d) and (s, d), float16
    of : ndarray of shape (s,), int64
        The document of each sentence.
    queries : dict of name to ndarray of shape (q, d), float32
        Real queries of each set, which no fit sees.
    relevant : dict of name to list of dict
        For each query the numbers of the documents judged, and their gains.
    texts : CollectionTexts
    """

    teacher: EncoderIdentity
    documents: NDArray[np.float16]
    sentences: NDArray[np.float16]
    of: NDArray[np.int64]
    queries: dict[str, Vectors]
    relevant: dict[str, list[dict[int, float]]]
    texts: CollectionTexts

    def scores(self, reducer: Reducer | None = None) -> list[Scores]:
        """Return the nDCG@10 of every query of every set among all documents, reduced or at full width."""
        reduce = unit_rows if reducer is None else reducer.transform
        return self.scores_of(reduce(self.documents), {name: reduce(asked) for name, asked in self.queries.items()})

    def scores_of(self, documents: Vectors, queries: dict[str, Vectors] | None = None) -> list[Scores]:
        """Return the nDCG@10 of every query of every set among documents (n, k) as they are left."""
        return self.scores_found(lambda asked: exact_top_k(asked, documents, RANKS)[1], queries)

    def scores_found(
        self, search: Callable[[Vectors], NDArray[np.int64]], queries: dict[str, Vectors] | None = None
    ) -> list[Scores]:
        """Return the nDCG@10 of every query of every set, of the documents (q, 10) that a search finds."""
        return [
            Scores(f"retrieval/{name}", "ndcg@10", _ndcg(search(asked), self.relevant[name]))
            for name, asked in (queries or self.queries).items()
        ]


def collection(sets: Sequence[str], vectors: Path, encoder: str) -> Collection:
    """Read sets in the BEIR layout; vectors that the folder lacks are made by the encoder, and kept there.

    Parameters
    ----------
    sets : sequence of str
        Folders in the BEIR layout, or names on the hub.
    vectors : path
        Of ``<set>_documents.npy``, ``_queries.npy`` (those of the test split, in the order of the file),
        ``_sentences.npy`` and ``_sentences.parquet`` (columns text and document, the number of its own).
    encoder : str
        ``minilm``, ``mpnet``, or what `projhead.load_encoder` takes.
    """
    model = Model(encoder)
    documents, sentences, of, queries, relevant = [], [], [], {}, {}
    found = CollectionTexts([], [], {})
    for data in (load_beir(path) for path in sets):
        texts, first = [one.text for one in data.corpus], sum(map(len, documents))
        pseudo = _pseudo(vectors / f"{data.name}_sentences.parquet", texts)
        documents.append(model.rows(vectors / f"{data.name}_documents.npy", texts))
        sentences.append(model.rows(vectors / f"{data.name}_sentences.npy", pseudo["text"].tolist()))
        of.append(first + pseudo["document"].to_numpy())
        asked = [query.text for query in data.queries]
        queries[data.name] = unit_rows(model.rows(vectors / f"{data.name}_queries.npy", asked))
        relevant[data.name] = _relevant(data, first)
        found.documents.extend(texts)
        found.sentences.extend(pseudo["text"])
        found.queries[data.name] = asked
    rows, of_sentences, numbers = np.concatenate(documents), np.concatenate(sentences), np.concatenate(of)
    return Collection(model.teacher, rows, of_sentences, numbers, queries, relevant, found)


def _pseudo(path: Path, texts: list[str]) -> pd.DataFrame:
    """Return sentences and the numbers of their documents, those of the file where there is one."""
    if not path.exists():
        made = pseudo_queries(texts)
        path.parent.mkdir(parents=True, exist_ok=True)
        pd.DataFrame({"text": made.texts, "document": made.documents}).to_parquet(path)
    return pd.read_parquet(path)


class Model:
    """A model that is loaded when something lacks."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._made: Encoder | None = None
        self.width = 0

    @property
    def encoder(self) -> Encoder:
        """The model itself."""
        if self._made is None:
            self._made = load_encoder(_NAMES.get(self.name, self.name))
        return self._made

    @property
    def teacher(self) -> EncoderIdentity:
        """Its name, for rows; nothing of it is loaded."""
        return EncoderIdentity(_NAMES.get(self.name, self.name), "", self.width)

    def rows(self, path: Path, texts: list[str]) -> NDArray[np.float16]:
        """Return the rows of a file, which is written first where it does not exist; none of no texts."""
        if not texts:  # documents of one sentence have no others
            return np.empty((0, self.width), np.float16)
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            np.save(path, self.encoder.encode(texts, show_progress=True).astype(np.float16))
        rows = Precomputed(str(path), similarity="cosine").rows
        if len(rows) != len(texts):
            raise ValueError(f"{path}: expected a row for each of {len(texts):,} texts, got {len(rows):,}")
        self.width = rows.shape[1]
        return rows


def _relevant(data: RetrievalSet, first: int) -> list[dict[int, float]]:
    number = {document.id: first + i for i, document in enumerate(data.corpus)}
    return [{number[one]: gain for one, gain in data.qrels[query.id].items()} for query in data.queries]


def _ndcg(found: NDArray[np.int64], relevant: list[dict[int, float]]) -> NDArray[np.float64]:
    discount = 1 / np.log2(np.arange(2, RANKS + 2))
    gains = np.array([[judged.get(one, 0.0) for one in row] for judged, row in zip(relevant, found, strict=True)])
    best = [np.sort(list(judged.values()))[::-1][:RANKS] for judged in relevant]
    return (gains @ discount) / np.array([one @ discount[: len(one)] for one in best])
