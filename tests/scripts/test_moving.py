"""The encoder that moves, in short: real MiniLM, made-up vectors of a few topics."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from projhead import LearnedReducer
from projhead.encoders.minilm import MiniLM
from projhead.report.results import read_results

pytestmark = pytest.mark.slow

FOLDER = "quality"
N, D, K = 64, 384, 8


@pytest.mark.usefixtures("folder")
def test_an_encoder_that_hardly_moves_finds_what_the_teacher_finds(
    given: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import moving

    still = ["student.optimizer.lr=1e-12", "student.trainer.max_steps=2", "student.validation_rows=8"]
    asked = [
        "moving.py",
        str(given / "vectors"),
        str(given / "tiny"),
        "--widths",
        str(K),
        "--seeds",
        "0",
        "--set",
        *still,
    ]
    monkeypatch.setattr(sys, "argv", [*asked, "--out", str(given / "rows.jsonl")])
    moving.main()
    rows = read_results(given / "rows.jsonl")
    assert {(row.reducer, row.baseline) for row in rows} == {("learned", ""), ("moving", ""), ("moving", "learned")}
    assert all(row.minutes > 0 for row in rows if row.reducer == "moving")

    made, sentences = (np.load(given / "vectors" / f"tiny_{of}.npy") for of in ("documents", "sentences"))
    head = LearnedReducer(K, random_state=0).fit(made, queries=sentences)
    documents = head.transform(MiniLM().encode([f"text {number}" for number in range(N)]))
    ranks = (-documents[::8] @ documents.T).argsort(axis=1)[:, :10]
    places = [np.flatnonzero(row == 8 * number) for number, row in enumerate(ranks)]  # each has one that is judged
    gains = [1 / np.log2(place[0] + 2) if len(place) else 0.0 for place in places]
    found = next(row for row in rows if row.reducer == "moving" and not row.baseline)
    assert found.value == pytest.approx(np.mean(gains), abs=1e-3)

    moving.main()
    assert read_results(given / "rows.jsonl") == rows

    asked[asked.index(still[0])] = "student.optimizer.lr=1e-2"
    monkeypatch.setattr(sys, "argv", [*asked, "--out", str(given / "moved.jsonl")])
    moving.main()
    moved = read_results(given / "moved.jsonl")
    assert [one.value for one in moved if one.reducer == "learned"] == [
        one.value for one in rows if one.reducer == "learned"
    ]
    assert next(one.value for one in moved if one.reducer == "moving" and not one.baseline) != found.value
