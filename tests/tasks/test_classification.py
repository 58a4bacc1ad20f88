import numpy as np
import pandas as pd
import pytest

from projhead.tasks.classification import Classification

LABELS = ("north", "east", "south")


@pytest.fixture
def data(tmp_path, known):
    """Three directions with noise; the last two test texts carry a wrong label."""
    generator = np.random.default_rng(0)
    centers = dict(zip(LABELS, ([0, 1], [1, 0], [0, -1]), strict=True))
    vectors, folder = {}, tmp_path / "compass"
    folder.mkdir()
    for split, size in (("train", 60), ("test", 20)):
        labels = [LABELS[i % 3] for i in range(size)]
        texts = [f"{split} {i}" for i in range(size)]
        vectors |= {
            text: centers[label] + 0.1 * generator.standard_normal(2) for text, label in zip(texts, labels, strict=True)
        }
        if split == "test":
            labels[-2:] = ["east", "unheard of"]
        pd.DataFrame({"text": texts, "label": labels}).to_parquet(folder / f"{split}.parquet")
    return folder, known(vectors)


def test_both_classifiers_find_the_directions_and_miss_the_wrong_labels(data):
    folder, encoder = data
    logistic, neighbors = Classification(folder).run(encoder, encoder)
    assert (logistic.task, logistic.metric) == ("classification/compass", "logistic_accuracy")
    assert (neighbors.task, neighbors.metric) == ("classification/compass", "knn_accuracy")
    for sample in (logistic, neighbors):
        np.testing.assert_array_equal(sample.items, [1.0] * 18 + [0.0] * 2)


def test_the_vote_is_over_ten_neighbors_by_cosine(tmp_path, known):
    # Nine texts "a" lie on the query, ten "b" a little off it: of the ten nearest nine are "a".
    vectors = {f"a{i}": [5, 0] for i in range(9)} | {f"b{i}": [0.1, 0.01 * (i + 1)] for i in range(10)} | {"q": [1, 0]}
    for split, texts, labels in (("train", list(vectors)[:-1], "a" * 9 + "b" * 10), ("test", ["q"], "a")):
        pd.DataFrame({"body": texts, "intent": list(labels)}).to_csv(tmp_path / f"{split}.csv", index=False)
    encoder = known(vectors)
    task = Classification(tmp_path, text_column="body", label_column="intent")
    samples = {sample.metric: sample.items for sample in task.run(encoder, encoder)}
    assert samples["knn_accuracy"] == [1]


def test_malformed_sets_are_refused(data, tmp_path):
    folder, encoder = data

    def run(path, **arguments):
        return list(Classification(path, **arguments).run(encoder, encoder))

    with pytest.raises(FileNotFoundError, match="expected a folder with files train and test"):
        run(folder / "train.parquet")
    with pytest.raises(FileNotFoundError, match="expected a file dev"):
        run(folder, test_split="dev")
    with pytest.raises(ValueError, match=r"expected the columns \['intent'\]"):
        run(folder, label_column="intent")
    train = pd.read_parquet(folder / "train.parquet")
    train.assign(label="one").to_parquet(folder / "single.parquet")
    with pytest.raises(ValueError, match="at least 10 training texts with 2 labels, got 60 with 1"):
        run(folder, train_split="single")
    train[:9].to_parquet(folder / "few.parquet")
    with pytest.raises(ValueError, match="at least 10 training texts with 2 labels, got 9 with 3"):
        run(folder, train_split="few")
    train.assign(label=[None, *train["label"][1:]]).to_parquet(folder / "holes.parquet")
    with pytest.raises(ValueError, match="column 'label' has no text in 1 rows"):
        run(folder, train_split="holes")
