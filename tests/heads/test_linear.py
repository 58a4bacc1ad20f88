from __future__ import annotations

import pytest
import torch

from projhead.heads.linear import Linear


def test_it_is_the_affine_map_it_was_given() -> None:
    weight, bias, x = torch.randn(3, 7), torch.randn(3), torch.randn(5, 7)
    head = Linear(7, 3, bias=True)
    head.initialize(weight, bias)
    torch.testing.assert_close(head(x), x @ weight.T + bias)
    torch.testing.assert_close(head.to_sequential()(x), head(x))


def test_a_bias_that_is_not_given_is_zero() -> None:
    head = Linear(4, 2, bias=True)
    head.initialize(torch.ones(2, 4))
    torch.testing.assert_close(head(torch.zeros(1, 4)), torch.zeros(1, 2))


@pytest.mark.parametrize("bias", [False, True])
def test_a_prefix_gives_the_first_outputs(bias: bool) -> None:
    head, x = Linear(7, 3, bias=bias), torch.randn(5, 7)
    head.initialize(torch.randn(3, 7), torch.randn(3))
    torch.testing.assert_close(head.prefix(2)(x), head(x)[:, :2])
    assert (head.prefix(2).out_features, head.prefix(2).bias) == (2, bias)
