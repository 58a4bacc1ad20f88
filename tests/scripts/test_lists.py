"""Codes in lists at several sizes, in short, on made-up vectors."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from projhead import LearnedReducer
from projhead.report.results import read_results
from projhead.vectors import Vectors, exact_top_k, unit_rows

FOLDER = "search_speed"


@pytest.mark.usefixtures("folder")
def test_a_part_of_the_lists_is_paired_with_all_codes(
    rows: Vectors, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import lists

    fitted = []

    class Noted(LearnedReducer):
        def fit(self, *args: object, **kwargs: object) -> Noted:
            fitted.append(self)
            return super().fit(*args, **kwargs)

    monkeypatch.setattr(lists, "LearnedReducer", partial(Noted, max_steps=20))
    monkeypatch.setattr(lists, "BLOCK", 150)
    np.save(tmp_path / "vectors.npy", rows)
    out = tmp_path / "lists.jsonl"
    asked = ["--rows", "400", "1000", "--bytes", "4", "--visited", "0.1", "--queries", "100", "--seeds", "3"]
    monkeypatch.setattr(sys, "argv", ["lists.py", str(tmp_path / "vectors.npy"), *asked, "--out", str(out)])
    lists.main()
    found = {(row.task, row.reducer, row.baseline): row for row in read_results(out)}
    assert set(found) == {
        (f"{n} rows", name, baseline)
        for n in ("400", "1,000")
        for name, baseline in (("all codes", ""), ("10% of the lists", ""), ("10% of the lists", "all codes"))
    }
    order = np.random.default_rng(3).permutation(len(rows))
    queries, documents = unit_rows(rows[order[:100]]), unit_rows(rows[order[100:500]])
    _, true = exact_top_k(queries, documents, 10)
    (head,) = fitted
    made = head.transform(documents).astype(np.float16).astype(np.float32)
    said = head.codec_.decode(head.codec_.encode(unit_rows(made)))
    _, answers = exact_top_k(head.transform(queries), said, 10)
    expected = np.mean([len(set(a) & set(b)) / 10 for a, b in zip(answers, true, strict=True)])
    assert found["400 rows", "all codes", ""].value == pytest.approx(expected, abs=2e-3)
    for n in ("400", "1,000"):
        less = found[f"{n} rows", "10% of the lists", ""].value - found[f"{n} rows", "all codes", ""].value
        assert less < 0
        assert found[f"{n} rows", "10% of the lists", "all codes"].value == pytest.approx(less, abs=1e-6)


@pytest.mark.usefixtures("folder")
def test_rows_that_are_too_few_are_repeated_with_noise(rows: Vectors) -> None:
    import lists

    blocks = np.concatenate(list(lists.grown(rows[:200], 500, 0.3)))
    np.testing.assert_allclose(blocks[:200], unit_rows(rows[:200]), atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(blocks, axis=1), 1, atol=1e-5)
    cosines = (blocks[200:] * np.concatenate([blocks[:200], blocks[:100]])).sum(1)
    assert cosines.mean() == pytest.approx(1.09**-0.5, abs=0.01)
    assert cosines.max() < 0.999
