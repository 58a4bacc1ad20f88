from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sentence_transformers import SentenceTransformer

from projhead.encoders.precomputed import Precomputed
from projhead.encoders.sentence_transformer import SentenceTransformerEncoder
from projhead.exporters.export import write_export
from projhead.exporters.sentence_transformers import SentenceTransformersFolder
from projhead.reducers.pca import PCA
from projhead.students.assemble import assemble
from projhead.students.static import Static
from projhead.vectors import unit_rows

TEXTS = ["the owl", "the boat near the owl", "the drum"]
WORDS = ["owl", "red", "road", "is", "loud", "farm", "lamp", "under"]
COUNTS = {"the": 4, "owl": 2, "boat": 1, "near": 1, "drum": 1}


def test_a_row_is_the_weighed_mean_of_what_the_teacher_says_of_each_token(teacher: SentenceTransformerEncoder) -> None:
    teacher.encode(TEXTS)  # of several lengths: the tokenizer pads from now on
    model = Static(0.1)(teacher, TEXTS)
    alone = {word: teacher.encode([word])[0] for word in (*COUNTS, "lamp")}
    weight = {word: 0.1 / (0.1 + COUNTS.get(word, 0) / 9) for word in alone}
    asked = ["near the lamp", "drum drum boat"]
    expected = unit_rows([np.sum([alone[w] * weight[w] for w in text.split()], axis=0) for text in asked])
    np.testing.assert_allclose(model.encode(asked), expected, atol=1e-5)


def test_it_reads_no_more_tokens_than_its_teacher(teacher: SentenceTransformerEncoder) -> None:
    model = Static()(teacher, TEXTS)
    rows = model.encode(["owl " * 22 + "boat", "owl", "owl " * 21 + "boat"])  # of 24 tokens two are marks
    np.testing.assert_allclose(rows[0], rows[1], atol=1e-6)
    assert rows[2] @ rows[1] < 1 - 1e-5


def test_a_folder_of_stock_modules_holds_it(teacher: SentenceTransformerEncoder, tmp_path: Path) -> None:
    model = Static()(teacher, TEXTS)
    rows = model.encode(TEXTS * 3)
    student = assemble(model, PCA(2).fit(rows))
    texts = [f"{text} {word}" for text in TEXTS for word in (*WORDS, "")]
    expected = student.encode(texts)
    options = {"teacher": None, "reducer": "pca"}
    record = write_export(SentenceTransformersFolder(), student, tmp_path / "st", texts, expected, **options)
    assert record["parity"]["worst_cosine"] > 0.99999
    np.testing.assert_allclose(
        SentenceTransformer(str(tmp_path / "st"), device="cpu").encode(texts), expected, atol=1e-5
    )


def test_what_has_no_tokens_is_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "rows.npy", np.eye(4, dtype=np.float32))
    with pytest.raises(ValueError, match="expected a sentence-transformers teacher"):
        Static()(Precomputed(str(tmp_path / "rows.npy")), TEXTS)
    with pytest.raises(ValueError, match="rarity: expected a positive number, got 0"):
        Static(0)
