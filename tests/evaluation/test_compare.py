"""What `evaluate` measures, without a command line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from projhead.codecs.binary import Binary
from projhead.codecs.pq import ProductQuantizer
from projhead.corpora.split import in_test
from projhead.encoders.precomputed import Precomputed
from projhead.evaluation.compare import compare
from projhead.evaluation.train import expect_trained
from projhead.heads.linear import Linear
from projhead.reducers.learned import LearnedReducer
from projhead.reducers.pca import PCA
from projhead.reducers.random_projection import RandomProjection
from projhead.tasks.neighbor_overlap import NeighborOverlap
from projhead.vectors import Vectors, neighbor_overlap


def test_what_runs_share_is_measured_once_and_what_only_looks_alike_is_told_apart(
    tmp_path: Path, rows: Vectors
) -> None:
    np.save(tmp_path / "rows.npy", rows)
    encoder = Precomputed(str(tmp_path / "rows.npy"))
    teacher = encoder.identity
    artifacts = []
    for seed, part in ((0, rows), (1, rows), (1, rows[:300]), (1, rows[300:])):
        run = tmp_path / f"run{len(artifacts)}"
        RandomProjection(8, random_state=seed).fit(part).save(run / "artifact", teacher=teacher)
        PCA(8).fit(part).save(run / "baselines" / "pca", teacher=teacher)
        artifacts.append(run / "artifact")
    found = [
        (row.reducer, row.variant, row.seed)
        for row in compare(artifacts, [NeighborOverlap(top_k=[10])], teacher=encoder).rows
        if not row.baseline
    ]
    # A random projection knows no data but its seed, PCA no seed but its data.
    assert found == [
        ("teacher", 1, 0),
        ("random_projection", 1, 0),
        ("pca", 1, 0),
        ("random_projection", 1, 1),
        ("pca", 1, 1),
        ("pca", 2, 1),
    ]


def test_a_head_is_measured_in_the_codec_it_was_trained_with_and_pca_beside_it(tmp_path: Path, rows: Vectors) -> None:
    np.save(tmp_path / "rows.npy", rows)
    encoder = Precomputed(str(tmp_path / "rows.npy"))
    teacher = encoder.identity
    reducer = LearnedReducer(16, codec=Binary(), head=Linear, max_steps=20).fit(rows)
    reducer.save(tmp_path / "artifact", teacher=teacher)
    pca = PCA(16).fit(rows)
    pca.save(tmp_path / "baselines" / "pca", teacher=teacher)
    task = NeighborOverlap(top_k=[10])
    found = compare([tmp_path / "artifact"], [task], teacher=encoder).rows
    values = {(row.reducer, row.codec): row for row in found if not row.baseline}
    assert set(values) == {(name, codec) for name in ("teacher", "learned", "pca") for codec in ("float32", "binary")}
    assert reducer.codec_ is not None
    held_out = rows[[in_test(text) for text in encoder.texts_or_rows()]]
    queries = reducer.transform(held_out)
    stored = reducer.codec_.decode(reducer.codec_.encode(queries))
    expected = neighbor_overlap(held_out, stored, [10], queries=queries).mean()
    trained = values["learned", "binary"]
    assert (trained.fitted_to, values["pca", "binary"].fitted_to) == ("trained", "")
    assert trained.value == pytest.approx(expected, abs=1e-4)
    assert trained.bytes_per_vector == 2
    difference = next(row for row in found if row.baseline and row.codec == "binary")
    assert difference.value == pytest.approx(trained.value - values["pca", "binary"].value)


def test_only_a_learned_head_is_trained_with_a_codec() -> None:
    expect_trained(LearnedReducer(16), ProductQuantizer(4), Path("last.ckpt"))
    expect_trained(PCA(16), None, None)
    with pytest.raises(ValueError, match="expected reducer=learned to train with pq_4, got pca"):
        expect_trained(PCA(16), ProductQuantizer(4), None)
    with pytest.raises(ValueError, match="expected reducer=learned to go on with a checkpoint, got pca"):
        expect_trained(PCA(16), None, Path("last.ckpt"))


def test_an_array_of_held_out_rows_is_a_task(rows: Vectors) -> None:
    train, test = rows[:400], rows[400:]
    reducers = [PCA(8).fit(train), PCA(4).fit(train), RandomProjection(8).fit(train)]
    found = {(row.reducer, row.n_components, row.metric): row.value for row in compare(reducers, test).rows}
    expected = neighbor_overlap(test, reducers[1].transform(test), [10]).mean()
    assert found["pca", 4, "overlap@10"] == pytest.approx(expected)
    assert found["teacher", 32, "overlap@10"] == 1
    task = NeighborOverlap(texts=["0", "1", "2"])
    with pytest.raises(ValueError, match="give teacher="):
        compare(reducers, task)
    with pytest.raises(ValueError, match="at least 2 held-out vectors"):
        compare(reducers, test[:1])
