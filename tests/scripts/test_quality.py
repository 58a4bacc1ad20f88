"""The quality benchmarks in short."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

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
    for name in ("small", "harness"):
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
