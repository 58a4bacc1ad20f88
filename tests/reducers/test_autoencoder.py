from __future__ import annotations

import numpy as np
import pytest
import torch

from projhead.reducers.autoencoder import Autoencoder
from projhead.reducers.pca import PCA
from projhead.vectors import Vectors, unit_rows


def test_without_steps_it_is_pca(rows: Vectors) -> None:
    found = Autoencoder(4, max_steps=0).fit(rows).transform(rows)
    np.testing.assert_allclose(found, PCA(4, center=False).fit(rows).transform(rows), atol=1e-5)


def test_it_unrolls_a_circle_that_pca_winds_up_three_times() -> None:
    generator = np.random.default_rng(0)
    angle = generator.uniform(-np.pi, np.pi, 800)
    turns = [w * f(k * angle) for k, w in ((1, 1.0), (2, 1.0), (3, 1.2)) for f in (np.cos, np.sin)]
    rows = unit_rows(np.stack(turns, axis=1) + 0.01 * generator.normal(size=(800, 6)))
    overlaps = [
        Autoencoder(2, hidden_features=64, learning_rate=1e-2, max_steps=steps, batch_rows=256)
        .fit(rows)
        .training_["held-out overlap@10"]
        for steps in (0, 100)
    ]
    assert overlaps[0] == pytest.approx(1 / 3, abs=0.05)
    assert overlaps[1] > overlaps[0] + 0.08


def test_the_same_seed_gives_the_same_weights_and_leaves_the_callers_alone(rows: Vectors) -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    one, two = (Autoencoder(4, max_steps=60, noise=0.1, random_state=1).fit(rows).transform(rows) for _ in range(2))
    torch.testing.assert_close(torch.rand(3), expected)
    np.testing.assert_array_equal(one, two)
