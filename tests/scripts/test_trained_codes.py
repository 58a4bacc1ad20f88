"""Codes of rows that a head made, in short, on made-up vectors of a few topics."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from projhead import LearnedReducer
from projhead.codecs.binary import Binary
from projhead.report.results import read_results
from projhead.vectors import unit_rows

FOLDER = "bytes"
N, D, SIZE = 640, 64, 4


@pytest.mark.usefixtures("folder")
def test_codes_are_fitted_to_every_other_document_and_a_run_goes_on(
    given: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import trained_codes

    monkeypatch.setattr(trained_codes, "LearnedReducer", partial(LearnedReducer, max_steps=20))
    asked = ["trained_codes.py", str(given / "vectors"), str(given / "tiny"), "--bytes", str(SIZE), "--seeds", "0"]
    monkeypatch.setattr(sys, "argv", [*asked, "--out", str(given / "rows.jsonl")])
    trained_codes.main()
    rows = read_results(given / "rows.jsonl")
    found = {(row.reducer, row.codec): row for row in rows if not row.baseline}
    plain = {("teacher", one) for one in ("float32", "rotated_binary_32", "pq_4", "opq_4", "rq_4")}
    coded = {("learned, pq", "pq_4"), ("learned, rq", "rq_4")}
    plain |= {("pca_uncentered", one) for one in ("pq_4", "rq_4", "int8")}
    trained = coded | {("learned, bits", "binary"), ("learned, int8", "int8")}
    lists = {(f"{name}, in lists", code) for name, code in coded}
    assert set(found) == plain | trained | lists
    paired = [row for row in rows if row.baseline]
    assert {row.reducer for row in paired} == {name for name, _ in trained | lists}
    assert {row.baseline for row in paired if row.reducer == "learned, pq, in lists"} == {"learned, pq"}
    assert all(row.minutes > 0 and row.bytes_per_vector == SIZE for row in rows if row.role != "reference")

    documents, queries = (unit_rows(np.load(given / "vectors" / f"tiny_{of}.npy")) for of in ("documents", "queries"))
    codec = Binary(8 * SIZE).fit(documents[::2])
    ranks = (-queries @ codec.decode(codec.encode(documents)).T).argsort(axis=1)[:, :10]
    places = [np.flatnonzero(row == 8 * number) for number, row in enumerate(ranks)]  # each has one that is judged
    gains = [1 / np.log2(place[0] + 2) if len(place) else 0.0 for place in places]
    assert found["teacher", "rotated_binary_32"].value == pytest.approx(np.mean(gains), abs=1e-6)

    trained_codes.main()
    assert read_results(given / "rows.jsonl") == rows
