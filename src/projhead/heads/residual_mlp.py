"""A linear map with a small network beside it that starts at zero."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class ResidualMLP(nn.Module):
    """``W x + B gelu(A x + a)`` with ``B = 0`` at the start, so that it begins as the linear map.

    The residual form follows He et al., "Deep Residual Learning for Image Recognition", 2016; the activation
    Hendrycks and Gimpel, "Gaussian Error Linear Units (GELUs)", 2016.

    Parameters
    ----------
    in_features, out_features : int
        Teacher width d and reduced width k.
    hidden_features : int
        Width h of the network beside the linear map.
    """

    def __init__(self, in_features: int, out_features: int, hidden_features: int = 768) -> None:
        super().__init__()
        self.in_features, self.out_features, self.hidden_features = in_features, out_features, hidden_features
        self.projection = nn.Linear(in_features, out_features, bias=False)
        self.hidden = nn.Linear(in_features, hidden_features)
        self.output = nn.Linear(hidden_features, out_features, bias=False)
        nn.init.zeros_(self.output.weight)

    def initialize(self, weight: Tensor, bias: Tensor | None = None) -> None:
        """Start the linear part at a map of shape (k, d); a constant has no use before normalizing."""
        del bias
        self.projection.weight.data.copy_(weight)

    def forward(self, x: Tensor) -> Tensor:
        """Project rows (n, d) to (n, k), not yet of unit length."""
        projected: Tensor = self.projection(x) + self.output(nn.functional.gelu(self.hidden(x)))
        return projected

    def prefix(self, out_features: int) -> ResidualMLP:
        """Return a head with the first of the outputs only."""
        head = ResidualMLP(self.in_features, out_features, self.hidden_features)
        head.hidden.load_state_dict(self.hidden.state_dict())
        for layer, whole in ((head.projection, self.projection), (head.output, self.output)):
            layer.weight.data.copy_(whole.weight.data[:out_features])
        return head.requires_grad_(False)

    def to_sequential(self) -> nn.Sequential:
        """Return the same function as two stock layers, by ``gelu(z) - gelu(-z) = z``.

        The linear part passes through the activation twice, once with each sign, so that
        ``Linear(d, h + 2k) -> GELU -> Linear(h + 2k, k)`` equals the residual form exactly.
        """
        k, h = self.out_features, self.hidden_features
        linear = self.projection.weight.detach()
        first = nn.Linear(self.in_features, h + 2 * k)
        first.weight.data = torch.cat([self.hidden.weight.detach(), linear, -linear])  # (h + 2k, d)
        first.bias.data = torch.cat([self.hidden.bias.detach(), linear.new_zeros(2 * k)])
        identity = torch.eye(k, dtype=linear.dtype)
        last = nn.Linear(h + 2 * k, k, bias=False)
        last.weight.data = torch.cat([self.output.weight.detach(), identity, -identity], dim=1)  # (k, h + 2k)
        return nn.Sequential(first, nn.GELU(), last)
