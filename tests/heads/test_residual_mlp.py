from __future__ import annotations

import torch
from torch import nn

from projhead.heads.residual_mlp import ResidualMLP


def test_it_starts_as_the_linear_map() -> None:
    weight, x = torch.randn(3, 7), torch.randn(5, 7)
    head = ResidualMLP(7, 3, hidden_features=11)
    head.initialize(weight)
    torch.testing.assert_close(head(x), x @ weight.T)


def test_stock_layers_give_the_same_function() -> None:
    head = ResidualMLP(7, 3, hidden_features=11)
    nn.init.normal_(head.output.weight)
    nn.init.normal_(head.hidden.bias)
    x = 3 * torch.randn(50, 7)
    expected = x @ head.projection.weight.T + (
        nn.functional.gelu(x @ head.hidden.weight.T + head.hidden.bias) @ head.output.weight.T
    )
    stock = head.to_sequential()
    assert [type(layer) for layer in stock] == [nn.Linear, nn.GELU, nn.Linear]
    torch.testing.assert_close(stock(x), expected)
    torch.testing.assert_close(head(x), expected)


def test_a_prefix_gives_the_first_outputs() -> None:
    head, x = ResidualMLP(6, 4, hidden_features=5), torch.randn(9, 6)
    for parameter in head.parameters():
        nn.init.normal_(parameter)
    torch.testing.assert_close(head.prefix(3)(x), head(x)[:, :3])
    torch.testing.assert_close(head.prefix(3).to_sequential()(x), head(x)[:, :3], atol=1e-5, rtol=1e-5)
