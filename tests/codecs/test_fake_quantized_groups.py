from __future__ import annotations

import numpy as np
import pytest
import torch

from projhead.codecs.pq import FakeQuantizedGroups, ProductQuantizer
from projhead.vectors import Vectors, unit_rows


@pytest.mark.parametrize("codec", [ProductQuantizer(8), ProductQuantizer(8, rotate=True)], ids=lambda c: c.name)
def test_it_says_what_the_codec_says(codec: ProductQuantizer, rows: Vectors) -> None:
    fake = codec.fit(rows).fake_quantized()
    found = unit_rows(fake(torch.from_numpy(rows)).detach().numpy())
    np.testing.assert_allclose(found, codec.decode(codec.encode(rows)), atol=1e-5)


def test_each_group_of_dimensions_chooses_the_nearest_centroid() -> None:
    generator = np.random.default_rng(0)
    centroids, rows = generator.normal(size=(2, 256, 4)), generator.normal(size=(7, 8))
    expected = np.zeros((7, 8))
    for i in range(7):
        for group in range(2):
            part = slice(4 * group, 4 * group + 4)
            expected[i, part] = centroids[group, ((rows[i, part] - centroids[group]) ** 2).sum(1).argmin()]
    found = FakeQuantizedGroups(torch.from_numpy(centroids))(torch.from_numpy(rows))
    np.testing.assert_allclose(found.detach(), expected)


def test_gradients_go_straight_to_rows_and_to_the_chosen_centroids_only() -> None:
    generator = torch.Generator().manual_seed(0)
    fake = FakeQuantizedGroups(torch.randn(2, 256, 3, generator=generator, dtype=torch.float64))
    rows = torch.randn(5, 6, generator=generator, dtype=torch.float64, requires_grad=True)
    slope = torch.randn(5, 6, generator=generator, dtype=torch.float64)
    (fake(rows) * slope).sum().backward()
    torch.testing.assert_close(rows.grad, slope)
    expected = torch.zeros_like(fake.centroids)
    for group in range(2):
        part = rows.detach()[:, 3 * group : 3 * group + 3]
        chosen = (part[:, None] - fake.centroids.detach()[group]).square().sum(2).argmin(1)
        for i in range(5):
            expected[group, chosen[i]] += slope[i, 3 * group : 3 * group + 3]
    torch.testing.assert_close(fake.centroids.grad, expected)


def test_the_distortion_moves_centroids_and_not_rows() -> None:
    fake = FakeQuantizedGroups(torch.randn(2, 256, 3, generator=torch.Generator().manual_seed(0)))
    rows = torch.randn(5, 6, generator=torch.Generator().manual_seed(1), requires_grad=True)
    (rows - fake(rows)).square().sum().backward()
    assert rows.grad is not None
    assert rows.grad.abs().max() < 1e-6
    assert fake.centroids.grad is not None
    assert fake.centroids.grad.abs().max() > 0
