from __future__ import annotations

from pathlib import Path

import faiss
import numpy as np
import pytest

from projhead.codecs.cast import Cast
from projhead.codecs.integer import Integer
from projhead.codecs.pq import ProductQuantizer
from projhead.commands import budget
from projhead.commands.compose import composed
from projhead.data import Footprint
from projhead.encoders.precomputed import Precomputed
from projhead.evaluation.bootstrap import Estimate
from projhead.evaluation.budget import size_of
from projhead.evaluation.planning import (
    Outcome,
    estimate,
    estimate_seconds,
    estimated,
    lists,
    lists_of_sample,
    measure,
    neighbors,
    plans_for,
    recommended,
)
from projhead.persistence.identity import EncoderIdentity
from projhead.reducers.pca import PCA
from projhead.vectors import Vectors, unit_rows


@pytest.fixture(autouse=True)
def one_thread() -> None:
    faiss.omp_set_num_threads(1)  # threads that wait for each other take seconds on a busy machine


def run(folder: Path, *overrides: str) -> float:
    return budget.run(composed("budget", overrides, folder))


def test_the_smallest_that_reaches_the_target_is_on_top(
    rows: Vectors, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    many = np.concatenate([rows, unit_rows(rows + 0.1 * np.random.default_rng(0).normal(size=rows.shape))])
    np.save(tmp_path / "rows.npy", many)
    teacher = Precomputed(str(tmp_path / "rows.npy"))
    pca = PCA(n_components=16).fit(many)
    pca.teacher_ = teacher.identity
    pca.save(tmp_path / "pca")
    kept = run(tmp_path / "run", "encoder=precomputed", f"encoder.path={tmp_path / 'rows.npy'}", "rows=2_000_000",
               "memory=70MB", "recall=0.9", f"artifact={tmp_path / 'pca'}", "codecs=[float32,int8,binary]")  # fmt: skip
    said = capsys.readouterr().out
    lines = [line for line in said.splitlines() if line.startswith("| ") and "width" not in line]
    table = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    assert len(table) == 2 * (3 + 4 + 1)  # exact, ivf, hnsw of float32 and int8, two stages of int8, exact of binary
    assert kept == pytest.approx(float(table[0][7].strip("%")) / 100, abs=1e-3)
    assert (table[0][9:], kept >= 0.9) == (["yes", "yes"], True)
    assert all(float(row[8].replace(",", "")) > 0 for row in table)
    reaching = [float(row[4]) for row in table if row[9:] == ["yes", "yes"]]
    assert float(table[0][4]) == min(reaching)
    exact = {(row[0], row[2]): row for row in table if row[3] == "exact"}
    assert exact["32", "float32"][4:7] == ["0.256", "0.256", "100.0% [100.0%, 100.0%]"]
    assert exact["32", "float32"][9:] == ["no", "yes"]
    assert exact["16", "int8"][4] == "0.032"
    assert "projhead index store=<store" in said
    assert (tmp_path / "run" / "budget.md").read_text().count("|\n") == len(table) + 2


def test_an_artifact_of_another_teacher_is_refused(rows: Vectors, tmp_path: Path) -> None:
    np.save(tmp_path / "rows.npy", rows)
    pca = PCA(n_components=16).fit(rows)
    pca.teacher_ = EncoderIdentity("other", "0" * 16, 32)
    pca.save(tmp_path / "pca")
    with pytest.raises(
        ValueError, match=r"pca: expected vectors of other \(.*got those of rows .* choose that teacher"
    ):
        run(
            tmp_path / "run",
            "encoder=precomputed",
            f"encoder.path={tmp_path / 'rows.npy'}",
            f"artifact={tmp_path / 'pca'}",
        )


def test_what_is_kept_is_recall_of_exact_neighbors(rows: Vectors) -> None:
    documents, queries = rows[:500], rows[500:]
    truth = neighbors(documents, queries)
    codec = Integer(4)
    exact, *_ = plans_for(codec)
    decoded = Integer(4).fit(documents)
    scores = queries @ decoded.decode(decoded.encode(documents)).T
    best = np.argsort(-scores, axis=1)[:, :10]
    expected = np.mean([len(set(a) & set(b)) / 10 for a, b in zip(best, truth, strict=True)])
    assert measure(exact, 1, documents, queries, truth).kept.value == pytest.approx(expected, abs=2e-3)
    assert not hasattr(codec, "dimension")


def test_sizes_of_plans_are_those_of_their_codes() -> None:
    planned = list(plans_for(Cast("float16")))
    sizes = {plan.index: plan.make(lists(1 << 20)).footprint(1 << 20, 64).memory for plan in planned}
    assert sizes["exact"] == (1 << 20) * 128
    assert sizes["ivf"] == pytest.approx((1 << 20) * (128 + 8) + lists(1 << 20) * 64 * 4, rel=1e-4)
    assert sizes["hnsw"] == pytest.approx((1 << 20) * (128 + 4 * 64 + 12 + 4 * 32 / 31), rel=0.01)
    assert sizes["rescore"] == pytest.approx((1 << 20) * 8, rel=0.01)
    quantized = {plan.index: plan.make(1000).footprint(1000, 64).memory for plan in plans_for(ProductQuantizer(16))}
    assert quantized["exact"] == 1000 * 16 + 256 * 64 * 4


def test_what_falls_goes_on_falling_and_what_rises_stays() -> None:
    assert estimate(0.9, 0.92, 16) == pytest.approx(0.86)
    assert estimate(0.9, 0.8, 16) == 0.9
    assert estimate(0.9, 0.92, 0.5) == 0.9
    assert estimate(0.1, 0.9, 1000) == 0


def test_more_rows_cost_in_proportion_and_in_a_graph_their_logarithm() -> None:
    exact, _, graph, *_ = plans_for(Cast("float32"))
    assert estimate_seconds(exact, 5.0, 2.0, 1.0) == 5.0  # 1 for each query and 4 for the rows
    assert estimate_seconds(exact, 5.0, 2.0, 10.0) == 41.0
    assert estimate_seconds(exact, 5.0, 2.0, 0.25) == 2.0
    assert estimate_seconds(exact, 5.0, 6.0, 10.0) == 5.0  # noise
    assert estimate_seconds(graph, 5.0, 2.0, 16.0) == 11.0
    assert estimate_seconds(exact, 5.0, 0.1, 0.01) == pytest.approx(0.05)


def test_lists_are_as_many_as_planned_where_the_sample_has_rows_for_them() -> None:
    assert [lists_of_sample(160_000, m) for m in (10_000, 8_191, 1_000, 20)] == [512, 256, 32, 1]
    assert lists_of_sample(10_000, 160_000) == lists(10_000) == 128


def test_lists_lose_of_what_codes_keep_the_share_that_they_lose_of_the_sample() -> None:
    rows = unit_rows(np.random.default_rng(0).normal(size=(600, 32)))
    documents, queries = rows[:520], rows[520:]
    truths = [neighbors(documents, queries), neighbors(documents[:130], queries)]
    comparing, inverted, *_ = plans_for(Integer(4).fit(documents))
    exact = estimated(comparing, 1_000_000, "", documents, queries, truths, None)
    ivf = estimated(inverted, 1_000_000, "", documents, queries, truths, exact)
    assert exact.estimated == estimate(
        exact.kept.value, measure(comparing, 1, documents[:130], queries, truths[1]).kept.value, 1_000_000 / 520
    )
    assert 0.1 < ivf.kept.value < exact.kept.value
    assert ivf.estimated == pytest.approx(exact.estimated * ivf.kept.value / exact.kept.value)
    assert ivf.footprint == inverted.make(4096).footprint(1_000_000, 32)


def test_those_that_fit_and_reach_come_first() -> None:
    exact, *_ = plans_for(Cast("float32"))
    sizes = [(100, 0.99), (50, 0.96), (10, 0.5), (20, 0.94), (500, 1.0)]
    outcomes = [
        Outcome(64, "", exact, Footprint(size, size), Estimate(kept, kept, kept), kept, 1.0) for size, kept in sizes
    ]
    found = recommended(outcomes, 200, 0.95)
    assert [one.footprint.memory for one in found] == [50, 100, 20, 10, 500]


def test_sizes_are_read_as_people_write_them() -> None:
    sizes = {"32GB": 32e9, "500 MB": 5e8, "8GiB": 8 * 2**30, 1000: 1000, "1.5TB": 1.5e12, "10_000KB": 1e7}
    assert {text: size_of(text) for text in sizes} == sizes
    for bad in ("much", "32 apples", "GB", "-3GB"):
        with pytest.raises(ValueError, match="memory: expected a size such as 32GB"):
            size_of(bad)
