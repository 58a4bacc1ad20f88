from __future__ import annotations

import numpy as np
import pytest
import torch

from projhead.codecs.integer import FakeQuantizedInteger, Integer
from projhead.vectors import Vectors, unit_rows


@pytest.mark.parametrize("bits", [8, 4])
def test_it_says_what_the_codec_says(bits: int, rows: Vectors) -> None:
    codec = Integer(bits).fit(rows)
    fake = codec.fake_quantized()
    found = unit_rows(fake(torch.from_numpy(rows)).detach().numpy())
    np.testing.assert_allclose(found, codec.decode(codec.encode(rows)), atol=1e-5)
    np.testing.assert_allclose(fake.state()["step"].detach(), codec.state["step"], rtol=1e-5)


def test_gradients_are_those_of_learned_step_size_quantization() -> None:
    generator = np.random.default_rng(0)
    values, step, top = generator.normal(size=(50, 3)), np.array([0.1, 0.2, 0.4]), 7
    slope = generator.normal(size=(50, 3))
    fake = FakeQuantizedInteger(torch.from_numpy(step), top)
    rows = torch.from_numpy(values).requires_grad_()
    (fake(rows) * torch.from_numpy(slope)).sum().backward()
    ratio = values / step
    inside = np.abs(ratio) < top
    assert 0 < inside.mean() < 1
    np.testing.assert_allclose(rows.grad, slope * inside)  # type: ignore[arg-type]
    to_step = np.where(inside, np.rint(ratio) - ratio, np.sign(ratio) * top)  # their equation 3
    # What is learned is a tenth of the logarithm.
    np.testing.assert_allclose(fake.log_step.grad, (slope * to_step).sum(0) * step * 10)  # type: ignore[arg-type]


def test_a_dimension_that_is_always_zero_leaves_all_finite() -> None:
    codec = Integer().fit(unit_rows([[1.0, 0, 1], [1, 0, -2]]))
    fake = codec.fake_quantized()
    rows = torch.tensor([[0.5, 0.0, 0.5], [0.5, 0.1, 0.5]], requires_grad=True)
    fake(rows).sum().backward()
    assert torch.isfinite(rows.grad).all()  # type: ignore[arg-type]
    assert torch.isfinite(fake.log_step.grad).all()  # type: ignore[arg-type]
