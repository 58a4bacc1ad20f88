"""A linear map with a small network beside it that starts at zero."""

from __future__ import annotations

from typing import Annotated, Any

import torch
from annotated_types import Ge
from torch import Tensor, nn

_ACTIVATIONS = {"relu": nn.ReLU, "gelu": nn.GELU}


class ResidualMLP(nn.Module):
    """``W x + B relu(A x)`` with ``B = 0`` at the start, so that it begins as the linear map.

    The residual form follows He et al., "Deep Residual Learning for Image Recognition", 2016. A ReLU without biases is
    kinked at any scale: unit rows meet small weights, and near zero a smooth activation is a line (Glorot et al.,
    "Deep Sparse Rectifier Neural Networks", 2011). It also makes the head positively homogeneous, ``f(c x) = c f(x)``:
    the length of a row does not matter.

    Parameters
    ----------
    in_features, out_features : int
        Teacher width d and reduced width k.
    hidden_features : int, optional
        Width h of the network beside the linear map; four times d where not given.
    activation : {"relu", "gelu"}
        "gelu" (Hendrycks and Gimpel, "Gaussian Error Linear Units (GELUs)", 2016) has a bias before it.

    References
    ----------
    - https://arxiv.org/abs/1512.03385
    - https://proceedings.mlr.press/v15/glorot11a.html
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        hidden_features: Annotated[int, Ge(1)] | None = None,
        activation: str = "relu",
    ) -> None:
        super().__init__()
        if activation not in _ACTIVATIONS:
            raise ValueError(f"activation: expected one of {', '.join(_ACTIVATIONS)}, got {activation!r}")
        hidden_features = hidden_features or 4 * in_features
        self.in_features, self.out_features, self.hidden_features = in_features, out_features, hidden_features
        self.activation = activation
        self.projection = nn.Linear(in_features, out_features, bias=False)
        self.hidden = nn.Linear(in_features, hidden_features, bias=activation == "gelu")
        self.output = nn.Linear(hidden_features, out_features, bias=False)
        nn.init.zeros_(self.output.weight)

    @staticmethod
    def upgrade(parameters: dict[str, Any]) -> dict[str, Any]:
        """Return the arguments that a record means: older ones name no activation, and had a GELU."""
        return {"activation": "gelu", **parameters}

    def initialize(self, weight: Tensor, bias: Tensor | None = None) -> None:
        """Start the linear part at a map of shape (k, d); a constant has no use before normalizing."""
        del bias
        self.projection.weight.data.copy_(weight)

    def forward(self, x: Tensor) -> Tensor:
        """Project rows (n, d) to (n, k), not yet of unit length."""
        activate = nn.functional.relu if self.activation == "relu" else nn.functional.gelu
        projected: Tensor = self.projection(x) + self.output(activate(self.hidden(x)))
        return projected

    def blended(self, start: Tensor, share: float) -> ResidualMLP:
        """Return the head that lies at a share of the way from its start, a linear map (k, d), to itself."""
        head = self.prefix(self.out_features)
        head.projection.weight.data.lerp_(start, 1 - share)
        head.output.weight.data.mul_(share)
        return head

    def prefix(self, out_features: int) -> ResidualMLP:
        """Return a head with the first of the outputs only."""
        head = type(self)(self.in_features, out_features, self.hidden_features, self.activation)
        head.hidden.load_state_dict(self.hidden.state_dict())
        for layer, whole in ((head.projection, self.projection), (head.output, self.output)):
            layer.weight.data.copy_(whole.weight.data[:out_features])
        return head.requires_grad_(False)

    def to_sequential(self) -> nn.Sequential:
        """Return the same function as two stock layers, by ``relu(z) - relu(-z) = z``, as GELU has it too.

        The linear part passes through the activation twice, once with each sign, so that
        ``Linear(d, h + 2k) -> ReLU -> Linear(h + 2k, k)`` equals the residual form exactly.
        """
        k, h = self.out_features, self.hidden_features
        linear = self.projection.weight.detach()
        first = nn.Linear(self.in_features, h + 2 * k, bias=self.hidden.bias is not None)
        first.weight.data = torch.cat([self.hidden.weight.detach(), linear, -linear])  # (h + 2k, d)
        if self.hidden.bias is not None:
            first.bias.data = torch.cat([self.hidden.bias.detach(), linear.new_zeros(2 * k)])
        identity = torch.eye(k, dtype=linear.dtype)
        last = nn.Linear(h + 2 * k, k, bias=False)
        last.weight.data = torch.cat([self.output.weight.detach(), identity, -identity], dim=1)  # (k, h + 2k)
        return nn.Sequential(first, _ACTIVATIONS[self.activation](), last)
