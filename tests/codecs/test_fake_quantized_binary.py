from __future__ import annotations

import numpy as np
import pytest
import torch

from projhead.codecs.binary import Binary, FakeQuantizedBinary
from projhead.codecs.itq import ITQ
from projhead.vectors import Vectors, unit_rows


@pytest.mark.parametrize("codec", [Binary(), Binary(24), ITQ(16)], ids=lambda codec: codec.name)
def test_it_says_what_the_codec_says(codec: Binary, rows: Vectors) -> None:
    codec.fit(rows)
    found = unit_rows(codec.fake_quantized()(torch.from_numpy(rows)).detach().numpy())
    np.testing.assert_allclose(found, codec.decode(codec.encode(rows)), atol=1e-5)


def test_gradients_pass_near_the_threshold_and_reach_what_bits_stand_for() -> None:
    fake = FakeQuantizedBinary(torch.tensor([0.0, 0.1]), torch.tensor([[-0.2, 0.0], [0.3, 0.2]]))
    rows = torch.tensor([[0.4, 0.15], [-0.6, 0.5], [0.1, -0.05]], requires_grad=True)
    slope = torch.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    found = fake(rows)
    torch.testing.assert_close(found.detach(), torch.tensor([[0.3, 0.2], [-0.2, 0.2], [0.3, 0.0]]))
    (found * slope).sum().backward()
    # The two values are 0.5 apart in the first column and 0.2 in the second: farther off nothing passes.
    near = torch.tensor([[1.0, 1.0], [0.0, 0.0], [1.0, 1.0]])
    torch.testing.assert_close(rows.grad, slope * near)
    torch.testing.assert_close(fake.median.grad, -(slope * near).sum(0))
    torch.testing.assert_close(fake.levels.grad, torch.tensor([[3.0, 6.0], [6.0, 6.0]]))
