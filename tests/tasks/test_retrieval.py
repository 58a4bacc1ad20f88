import json
import math

import numpy as np
import pytest
from sklearn.metrics import ndcg_score

from projhead.encoders.one_sided import OneSided
from projhead.persistence.identity import EncoderIdentity
from projhead.tasks.retrieval import Retrieval
from projhead.vectors import exact_top_k


def write_set(folder, corpus, queries, qrels):
    """Write a set in the BEIR layout; `qrels` are rows (query, document, score)."""
    (folder / "qrels").mkdir(parents=True)
    for name, texts in (("corpus", corpus), ("queries", queries)):
        lines = [json.dumps({"_id": key, "text": text}) for key, text in texts.items()]
        (folder / f"{name}.jsonl").write_text("\n".join(lines) + "\n")
    rows = ["query-id\tcorpus-id\tscore", *("\t".join(map(str, row)) for row in qrels)]
    (folder / "qrels" / "test.tsv").write_text("\n".join(rows) + "\n")
    return folder


def measure(path, encoder, **arguments):
    return {sample.metric: sample.items for sample in Retrieval(path, **arguments).run(encoder, encoder)}


def test_values_worked_out_by_hand(tmp_path, known):
    # Cosines fall from d1 to d4. Judged: d2 with gain 2, d4 with 1, d9 (not in the corpus) with 1.
    angles = {"one": 0.1, "two": 0.2, "three": 0.3, "four": 0.4}
    encoder = known({"query": [1, 0], **{text: [math.cos(a), math.sin(a)] for text, a in angles.items()}})
    corpus = {f"d{i}": text for i, text in enumerate(angles, start=1)}
    qrels = [("q1", "d2", 2), ("q1", "d4", 1), ("q1", "d9", 1), ("q1", "d1", 0)]
    found = measure(write_set(tmp_path / "hand", corpus, {"q1": "query"}, qrels), encoder, top_k=[1, 2, 100])
    dcg = 2 / math.log2(3) + 1 / math.log2(5)
    ideal = 2 / math.log2(2) + 1 / math.log2(3) + 1 / math.log2(4)
    assert found["ndcg@10"] == pytest.approx([dcg / ideal])
    assert found["mrr@10"] == pytest.approx([1 / 2])
    assert [found[f"recall@{k}"][0] for k in (1, 2, 100)] == pytest.approx([0, 1 / 3, 2 / 3])


def test_measures_agree_with_oracles_on_many_queries(tmp_path, random_encoder):
    generator = np.random.default_rng(0)
    corpus, queries = (
        {f"d{i}": f"document {i}" for i in range(60)},
        {f"q{i}": f"query {i}" for i in range(25)},
    )
    encoder = random_encoder([*corpus.values(), *queries.values()], 6)
    judged = generator.integers(0, 4, size=(25, 60)) * (generator.random((25, 60)) < 0.1)
    judged[:, 0] = 1
    qrels = [(q, d, judged[i, j]) for i, q in enumerate(queries) for j, d in enumerate(corpus) if judged[i, j]]
    found = measure(write_set(tmp_path / "many", corpus, queries, qrels), encoder)
    scores = encoder.encode(list(queries.values())) @ encoder.encode(list(corpus.values())).T
    expected = [ndcg_score(judged[i : i + 1], scores[i : i + 1], k=10) for i in range(25)]
    np.testing.assert_allclose(found["ndcg@10"], expected, atol=1e-6)
    order = np.argsort(-scores, axis=1)
    for i in range(25):
        ranks = [rank for rank, document in enumerate(order[i], start=1) if judged[i, document]]
        assert found["mrr@10"][i] == pytest.approx(1 / ranks[0] if ranks[0] <= 10 else 0)
        assert found["recall@10"][i] == pytest.approx(sum(rank <= 10 for rank in ranks) / len(ranks))
    np.testing.assert_allclose(found["recall@100"], 1)  # the corpus is smaller than that


def test_a_document_with_the_querys_id_counts(tmp_path, known):
    encoder = known({"same": [1, 0], "other": [0, 1], "query": [1, 0.1]})
    path = write_set(tmp_path / "own", {"x": "same", "y": "other"}, {"x": "query"}, [("x", "x", 1)])
    assert measure(path, encoder)["ndcg@10"] == [1]


def test_queries_without_judgments_are_left_out_and_empty_splits_refused(tmp_path, known):
    encoder = known({"text": [1, 0], "asked": [1, 0]})
    path = write_set(
        tmp_path / "some", {"d": "text"}, {"a": "asked", "b": "never encoded"}, [("a", "d", 1), ("b", "d", 0)]
    )
    assert len(measure(path, encoder)["mrr@10"]) == 1
    with pytest.raises(ValueError, match="expected queries with judgments in split 'test', got none"):
        measure(write_set(tmp_path / "none", {"d": "text"}, {"b": "asked"}, [("b", "d", 0)]), encoder)
    with pytest.raises(FileNotFoundError, match="nowhere"):
        measure(tmp_path / "nowhere", encoder)


def test_depths_must_be_positive():
    with pytest.raises(ValueError, match="top_k: expected positive depths"):
        Retrieval(top_k=[0, 10])


def test_without_a_path_docstring_summaries_find_their_bodies():
    class Letters(OneSided):
        """Counts of letters: weak, yet far from chance."""

        name, dimension = "letters", 26
        identity = EncoderIdentity(name, "0" * 16, dimension)

        def encode(self, texts, *, show_progress=False):
            counts = np.array([[text.lower().count(chr(97 + i)) for i in range(26)] for text in texts], np.float32)
            return counts / np.linalg.norm(counts, axis=1, keepdims=True)

    task = Retrieval()
    samples = {sample.metric: sample for sample in task.run(Letters(), Letters())}
    assert {sample.task for sample in samples.values()} == {"retrieval/docstrings"}
    ((_, documents, queries),) = task._read
    _, found = exact_top_k(Letters().encode(queries), Letters().encode(documents), top_k=10)
    own = np.arange(len(found))[:, None]  # the i-th body answers the i-th summary
    np.testing.assert_array_equal(samples["recall@10"].items, (found == own).any(1))
    assert samples["recall@10"].items.mean() > 5 * 10 / len(found)
