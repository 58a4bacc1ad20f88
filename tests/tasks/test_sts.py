import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr

from projhead.evaluation.bootstrap import bootstrap
from projhead.tasks.sts import STS


@pytest.fixture
def pairs(tmp_path):
    frame = pd.DataFrame(
        {
            "sentence1": ["a cat", "a cat", "a dog", "rain"],
            "sentence2": ["a dog", "rain", "rain", "a cat"],
            "score": [4.0, 0.5, 1.0, 2.0],
        }
    )
    (tmp_path / "stsb").mkdir()
    frame.to_parquet(tmp_path / "stsb" / "test.parquet")
    frame[::-1].to_csv(tmp_path / "sick.csv", index=False)
    return tmp_path


def test_items_are_cosine_and_score(pairs, known):
    encoder = known({"a cat": [1, 0], "a dog": [3, 4], "rain": [0, 2]})
    stsb, sick = STS([pairs / "stsb", pairs / "sick.csv"]).run(encoder, encoder)
    assert (stsb.task, sick.task, stsb.metric) == ("sts/stsb", "sts/sick", "spearman")
    expected = [[0.6, 4.0], [0.0, 0.5], [0.8, 1.0], [0.0, 2.0]]
    np.testing.assert_allclose(stsb.items, expected, atol=1e-6)
    np.testing.assert_allclose(sick.items, expected[::-1], atol=1e-6)
    assert bootstrap(stsb).value == pytest.approx(spearmanr(*np.transpose(expected)).statistic)


def test_real_sentences_are_ranked_as_people_would(tmp_path, minilm):
    rows = [
        ("A man is playing a guitar.", "Someone plays the guitar.", 5),
        ("A man is playing a guitar.", "A woman plays the piano.", 2),
        ("A man is playing a guitar.", "The stock market fell today.", 0),
        ("A cat sleeps on the sofa.", "A kitten is resting on the couch.", 4.5),
    ]
    pd.DataFrame(rows, columns=["sentence1", "sentence2", "score"]).to_parquet(tmp_path / "few.parquet")
    (sample,) = STS(tmp_path / "few.parquet").run(minilm, minilm)
    assert bootstrap(sample).value >= 0.8


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"score": ["x", 1, 2, 3]}, "column 'score': expected numbers, got 'x' in row 0"),
        ({"score": [1, None, 2, 3]}, "expected numbers, got .*nan.* in row 1"),
        ({"score": [1, 1, 1, 1]}, "expected scores that differ, got only 1"),
        ({"sentence2": ["a", None, "b", "c"]}, "column 'sentence2' has no text in 1 rows .first in row 1."),
    ],
)
def test_malformed_files_are_refused(pairs, known, change, message):
    frame = pd.read_parquet(pairs / "stsb" / "test.parquet").assign(**{k: pd.Series(v) for k, v in change.items()})
    frame.to_json(pairs / "bad.jsonl", orient="records", lines=True)
    with pytest.raises(ValueError, match=message):
        list(STS(pairs / "bad.jsonl").run(known({"a": [1.0]}), known({"a": [1.0]})))


def test_missing_files_columns_and_rows_are_named(pairs, known):
    encoder = known({"a": [1.0]})
    with pytest.raises(FileNotFoundError, match="expected a file dev"):
        list(STS(pairs / "stsb", split="dev").run(encoder, encoder))
    with pytest.raises(FileNotFoundError, match="nowhere"):
        list(STS(pairs / "nowhere").run(encoder, encoder))
    (pairs / "other.csv").write_text("sentence1,sentence2\na,a\n")
    with pytest.raises(ValueError, match="expected a column 'score'"):
        list(STS(pairs / "other.csv").run(encoder, encoder))
    (pairs / "empty.csv").write_text("sentence1,sentence2,score\n")
    with pytest.raises(ValueError, match=r"empty\.csv: expected rows, got none"):
        list(STS(pairs / "empty.csv").run(encoder, encoder))
