"""The quality benchmarks in short."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from projhead import load_reducer, pca_forms
from projhead.corpora.vocabulary import Vocabulary
from projhead.encoders.minilm import MiniLM
from projhead.encoders.precomputed import Precomputed
from projhead.report.results import read_results

pytestmark = pytest.mark.slow

FOLDER = Path(__file__).parents[2] / "scripts" / "quality"


@pytest.fixture
def benchmark(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(FOLDER))
    yield importlib.import_module("small")
    for name in ("small", "ready", "harness"):
        sys.modules.pop(name, None)


@pytest.fixture(scope="module")
def vectors(tmp_path_factory: pytest.TempPathFactory) -> Precomputed:
    path = tmp_path_factory.mktemp("vectors") / "words.npy"
    np.save(path, MiniLM().encode(Vocabulary(bags=0).words()[::16]).astype(np.float16))
    return Precomputed(str(path))


@pytest.mark.parametrize("k", [16, 64])
def test_the_default_head_is_not_below_pca_at_few_rows(k: int, vectors: Precomputed, benchmark: ModuleType) -> None:
    rows, _, summary = benchmark.cell(vectors, 300, k, 0, 900, "unseen/words")
    differences = {row.metric: row.value for row in rows if row.baseline}
    assert set(differences) == {"overlap@10", "overlap@100"}
    assert min(differences.values()) >= benchmark.TOLERANCE, (differences, summary)


def test_a_run_goes_on_and_says_what_it_cost(
    vectors: Precomputed, benchmark: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = ["small.py", vectors.path, "--rows", "40", "--widths", "4", "--held-out", "150", "--seeds", "0"]
    monkeypatch.setattr(sys, "argv", [*asked, "--out", str(tmp_path / "rows.jsonl")])
    benchmark.main()
    rows = read_results(tmp_path / "rows.jsonl")
    assert {row.reducer for row in rows} == {"learned", "pca", "pca_uncentered", "pca_whitened", "pca_power"}
    assert all(row.command.startswith("python small.py") for row in rows)
    assert {row.minutes > 0 for row in rows if row.role == "subject"} == {True}
    benchmark.main()
    assert len(read_results(tmp_path / "rows.jsonl")) == len(rows)


@pytest.mark.usefixtures("benchmark")
def test_a_head_that_is_shipped_is_paired_with_what_few_rows_give(
    vectors: Precomputed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ready = importlib.import_module("ready")
    monkeypatch.setattr(ready, "FEW", (120,))
    monkeypatch.setattr(ready, "HELD_OUT", 200)
    asked = ["ready.py", vectors.path, "--few", "--widths", "64", "--seeds", "0", "--out", str(tmp_path / "rows.jsonl")]
    monkeypatch.setattr(sys, "argv", asked)
    ready.main()
    rows = read_results(tmp_path / "rows.jsonl")
    test = vectors.rows[np.sort(np.random.default_rng(0).permutation(len(vectors.rows))[:200])].astype(np.float32)
    reduced = load_reducer("all-MiniLM-L6-v2-64").transform(test)
    kept = _shared(test @ test.T, reduced @ reduced.T, 10)
    assert next(r.value for r in rows if r.reducer == "ready" and r.metric == "overlap@10" and not r.baseline) == (
        pytest.approx(kept, abs=2e-3)
    )
    assert {r.baseline for r in rows if r.reducer == "ready"} <= {"", "learned", *(one.kind for one in pca_forms(64))}
    assert any(r.baseline for r in rows)


def _shared(one: np.ndarray, other: np.ndarray, k: int) -> float:
    """Return the share of the k nearest that two similarities (n, n) have in common."""
    for similarity in (one, other):
        np.fill_diagonal(similarity, -np.inf)
    pairs = zip(one.argsort(1)[:, -k:], other.argsort(1)[:, -k:], strict=True)
    return float(np.mean([len(set(a) & set(b)) / k for a, b in pairs]))
