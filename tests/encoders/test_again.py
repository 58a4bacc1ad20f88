from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np

from projhead.encoders.load import load_encoder
from projhead.encoders.precomputed import Precomputed
from projhead.encoders.reduced import Reduced
from projhead.encoders.sentence_transformer import SentenceTransformerEncoder
from projhead.reducers.pca import PCA
from projhead.vectors import Vectors

TEXTS = ["the red boat", "an owl near the inn", "a lamp", "a drum beside the road . the old farm is small"]


def test_an_encoder_is_made_again_elsewhere_from_its_arguments_alone(teacher: SentenceTransformerEncoder) -> None:
    given = SentenceTransformerEncoder(teacher.path, device="cpu", max_seq_length=8, query_prompt="the ")
    sent = pickle.dumps(given)
    assert len(sent) < 1000
    again = pickle.loads(sent)  # noqa: S301
    assert again.identity == given.identity
    np.testing.assert_array_equal(again.encode_query(TEXTS), given.encode_query(TEXTS))


def test_a_fitted_head_goes_along(teacher: SentenceTransformerEncoder) -> None:
    given = Reduced(teacher, PCA(8).fit(teacher.encode(TEXTS * 3)))
    again = pickle.loads(pickle.dumps(given))  # noqa: S301
    assert again.identity == given.identity
    np.testing.assert_array_equal(again.encode(TEXTS), given.encode(TEXTS))


def test_a_file_of_vectors(rows: Vectors, tmp_path: Path) -> None:
    np.save(tmp_path / "v.npy", rows)
    given = load_encoder(tmp_path / "v.npy", similarity="cosine")
    sent = pickle.dumps(given)
    assert isinstance(given, Precomputed)
    assert len(sent) < 1000
    documents = list(given.documents("all"))[5:9]
    again, texts = pickle.loads(sent), [one.text for one in pickle.loads(pickle.dumps(documents))]  # noqa: S301
    np.testing.assert_array_equal(again.encode(texts), given.encode([one.text for one in documents]))
