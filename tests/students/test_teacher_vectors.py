from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np

from projhead.corpora.queries import labeled_queries
from projhead.corpora.retrieval import Beir
from projhead.encoders.minilm import MiniLM
from projhead.students.teacher_vectors import teacher_vectors

WORDS = ["boat", "owl", "inn", "road", "drum", "lamp", "farm", "tower"]
DOCUMENTS = {f"d{i}": f"The {word} is old. Nobody knows the {word} well." for i, word in enumerate(WORDS)}
QUESTIONS = [f"where is this {word}" for word in WORDS]


def test_judged_queries_follow_the_chosen_sentences_and_pairs_find_them(minilm: MiniLM, tmp_path: Path) -> None:
    folder = tmp_path / "set"
    (folder / "qrels").mkdir(parents=True)
    lines = [f'{{"_id": "{key}", "text": "{text}"}}' for key, text in DOCUMENTS.items()]
    (folder / "corpus.jsonl").write_text("\n".join(lines))
    asked = [f'{{"_id": "q{i}", "text": "{text}"}}' for i, text in enumerate(QUESTIONS)]
    (folder / "queries.jsonl").write_text("\n".join(asked))
    judged = [f"q{i}\td{i}\t1" for i in range(len(WORDS))]
    (folder / "qrels" / "train.tsv").write_text("\n".join(["query-id\tcorpus-id\tscore", *judged]))
    vectors = teacher_vectors(
        minilm,
        Beir(str(folder), test_fraction=0.4),
        partial(labeled_queries, path=str(folder), keep=1),
        stores=tmp_path / "stores",
        dtype="float32",
    )
    assert len(vectors.queries) == len(vectors.train) + len(QUESTIONS)  # a sentence of each document trained on
    assert vectors.pairs is not None
    assert len(vectors.pairs) == len(vectors.train) < len(WORDS)
    questions, answers = minilm.encode(QUESTIONS), minilm.encode(list(DOCUMENTS.values()))
    for query, document in vectors.pairs:
        number = int((answers @ vectors.train[document]).argmax())
        np.testing.assert_allclose(vectors.train[document], answers[number], atol=1e-5)
        np.testing.assert_allclose(vectors.queries[query], questions[number], atol=1e-5)
