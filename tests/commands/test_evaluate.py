"""What `evaluate` measures, without a command line."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from projhead.artifact import Teacher
from projhead.commands.evaluate import evaluate
from projhead.encoders.precomputed import Precomputed
from projhead.reducers.pca import PCA
from projhead.reducers.random_projection import RandomProjection
from projhead.tasks.fidelity import Fidelity
from projhead.vectors import Vectors


def test_what_runs_share_is_measured_once_and_what_only_looks_alike_is_told_apart(
    tmp_path: Path, rows: Vectors
) -> None:
    np.save(tmp_path / "rows.npy", rows)
    encoder = Precomputed(str(tmp_path / "rows.npy"))
    teacher = Teacher(encoder.name, encoder.revision, encoder.dimension)
    artifacts = []
    for seed, part in ((0, rows), (1, rows), (1, rows[:300]), (1, rows[300:])):
        run = tmp_path / f"run{len(artifacts)}"
        RandomProjection(8, random_state=seed).fit(part).save(run / "artifact", teacher=teacher)
        PCA(8).fit(part).save(run / "baselines" / "pca", teacher=teacher)
        artifacts.append(run / "artifact")
    found = [
        (row.reducer, row.seed)
        for row in evaluate(encoder, [Fidelity(top_k=[10])], artifacts, [], tmp_path / "stores")
        if not row.baseline
    ]
    # A random projection knows no data but its seed, PCA no seed but its data.
    assert found == [
        ("teacher", 0),
        ("random_projection", 0),
        ("pca", 0),
        ("random_projection", 1),
        ("pca", 1),
        ("pca #2", 1),
    ]
