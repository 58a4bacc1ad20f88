from __future__ import annotations

from pathlib import Path

import numpy as np
from omegaconf import OmegaConf

from projhead.commands.train import teacher_vectors
from projhead.encoders.minilm import MiniLM

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
    corpora = "projhead.corpora"
    cfg = OmegaConf.create(
        {
            "corpus": {"_target_": f"{corpora}.retrieval.Beir", "path": str(folder), "test_fraction": 0.4},
            "queries": {
                "_target_": f"{corpora}.queries.labeled_queries", "_partial_": True,
                "path": str(folder), "keep": 1,
            },
            "paths": {"stores": str(tmp_path / "stores")},
            "store_dtype": "float32",
        }
    )  # fmt: skip
    vectors = teacher_vectors(cfg, minilm)
    assert len(vectors.queries) == len(vectors.train) + len(QUESTIONS)  # a sentence of each document trained on
    assert vectors.pairs is not None
    assert len(vectors.pairs) == len(vectors.train) < len(WORDS)
    questions, answers = minilm.encode(QUESTIONS), minilm.encode(list(DOCUMENTS.values()))
    for query, document in vectors.pairs:
        number = int((answers @ vectors.train[document]).argmax())
        np.testing.assert_allclose(vectors.train[document], answers[number], atol=1e-5)
        np.testing.assert_allclose(vectors.queries[query], questions[number], atol=1e-5)
