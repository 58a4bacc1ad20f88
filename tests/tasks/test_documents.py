"""Which side of each task a codec touches."""

import json

import numpy as np
import pandas as pd
import pytest

from projhead.encoders.one_sided import OneSided
from projhead.tasks.classification import Classification
from projhead.tasks.neighbor_overlap import NeighborOverlap
from projhead.tasks.retrieval import Retrieval
from projhead.tasks.sts import STS
from projhead.vectors import exact_top_k, unit_rows


class Turned(OneSided):
    """An encoder whose stored rows are turned by half a circle: nothing is as far as the same thing."""

    name = "turned"

    def __init__(self, encoder):
        self.encoder, self.identity, self.dimension = encoder, encoder.identity, encoder.dimension

    def encode(self, texts, *, show_progress=False):
        return self.encoder.encode(texts)

    def stored(self, rows):
        return -rows


def samples(task, encoder, teacher):
    return {sample.metric: sample.items for sample in task.run(encoder, teacher)}


@pytest.fixture
def texts():
    return [f"text {i}" for i in range(150)]


@pytest.fixture
def plain(random_encoder, texts):
    return random_encoder(texts, 8)


def test_retrieval_finds_stored_documents_by_plain_queries(tmp_path, plain, texts):
    for name, part in (("corpus", texts[:100]), ("queries", texts[100:])):
        lines = [json.dumps({"_id": text, "text": text}) for text in part]
        (tmp_path / f"{name}.jsonl").write_text("\n".join(lines))
    queries, documents = plain.encode(texts[100:]), plain.encode(texts[:100])
    _, farthest = exact_top_k(queries, -documents, 1)
    (tmp_path / "qrels").mkdir()
    rows = [f"{query}\t{texts[best]}\t1" for query, best in zip(texts[100:], farthest[:, 0], strict=True)]
    (tmp_path / "qrels" / "test.tsv").write_text("\n".join(["query-id\tcorpus-id\tscore", *rows]))
    assert samples(Retrieval(tmp_path), Turned(plain), plain)["ndcg@10"].mean() == 1
    assert samples(Retrieval(tmp_path), plain, plain)["ndcg@10"].mean() < 0.1


def test_of_a_pair_of_sentences_the_second_is_stored(tmp_path, plain, texts):
    pairs = pd.DataFrame({"sentence1": texts[:50], "sentence2": texts[50:100], "score": np.arange(50)})
    pairs.to_csv(tmp_path / "pairs.csv", index=False)
    cosine = (plain.encode(texts[:50]).astype(np.float64) * plain.encode(texts[50:100])).sum(1)
    for encoder, expected in ((plain, cosine), (Turned(plain), -cosine)):
        np.testing.assert_allclose(samples(STS(tmp_path / "pairs.csv"), encoder, plain)["spearman"][:, 0], expected)


def test_labeled_texts_are_stored_and_others_ask(tmp_path, known):
    angles = np.linspace(0, np.pi, 60)  # one half of a circle is "a", the other "b"
    names = [f"text {i}" for i in range(60)]
    encoder = known(dict(zip(names, np.column_stack([np.cos(angles), np.sin(angles)]), strict=True)))
    frame = pd.DataFrame({"text": names, "label": ["a" if i < 30 else "b" for i in range(60)]})
    for split, part in (("train", frame[::2]), ("test", frame[1::2])):
        part.to_csv(tmp_path / f"{split}.csv", index=False)
    task = Classification(tmp_path)
    assert samples(task, encoder, encoder)["logistic_accuracy"].mean() > 0.9
    assert samples(task, Turned(encoder), encoder)["logistic_accuracy"].mean() < 0.2


def test_a_text_asks_for_its_stored_neighbors(tmp_path, plain, texts):
    (tmp_path / "texts.txt").write_text("\n".join(texts))
    task = NeighborOverlap(tmp_path / "texts.txt", top_k=[10])
    rows = unit_rows(plain.encode(texts))
    near, far = (np.argsort(sign * rows @ rows.T - 9 * np.eye(150), axis=1)[:, -10:] for sign in (1, -1))
    expected = [len(set(one) & set(other)) / 10 for one, other in zip(near, far, strict=True)]
    np.testing.assert_allclose(samples(task, Turned(plain), plain)["overlap@10"], expected, atol=1e-6)
    np.testing.assert_allclose(samples(task, plain, plain)["overlap@10"], 1)
