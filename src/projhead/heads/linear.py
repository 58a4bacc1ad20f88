"""One matrix: the form that PCA, random projection and truncation have too."""

from __future__ import annotations

from torch import Tensor, nn


class Linear(nn.Module):
    """Affine projection ``W x + b``.

    PCA is one with closed-form weights; as a trained layer behind a teacher it is Zhao et al., "Compressing Sentence
    Representation for Semantic Retrieval via Homomorphic Projective Distillation", 2022.

    Parameters
    ----------
    in_features, out_features : int
        Teacher width d and reduced width k.
    bias : bool
        Whether there is a ``b``.

    References
    ----------
    - https://arxiv.org/abs/2203.07687
    """

    def __init__(self, in_features: int, out_features: int, bias: bool = False) -> None:
        super().__init__()
        self.in_features, self.out_features, self.bias = in_features, out_features, bias
        self.projection = nn.Linear(in_features, out_features, bias=bias)

    def initialize(self, weight: Tensor, bias: Tensor | None = None) -> None:
        """Take over a map of shape (k, d), and (k,) where there is a bias."""
        self.projection.weight.data.copy_(weight)
        if self.projection.bias is not None:
            self.projection.bias.data.zero_() if bias is None else self.projection.bias.data.copy_(bias)

    def forward(self, x: Tensor) -> Tensor:
        """Project rows (n, d) to (n, k), not yet of unit length."""
        projected: Tensor = self.projection(x)
        return projected

    def blended(self, start: Tensor, share: float) -> Linear:
        """Return the head that lies at a share of the way from its start, a linear map (k, d), to itself."""
        head = self.prefix(self.out_features)
        head.projection.weight.data.lerp_(start, 1 - share)
        if head.projection.bias is not None:
            head.projection.bias.data.mul_(share)
        return head

    def prefix(self, out_features: int) -> Linear:
        """Return a head with the first of the outputs only."""
        head = type(self)(self.in_features, out_features, self.bias)
        bias = self.projection.bias
        head.initialize(self.projection.weight.data[:out_features], None if bias is None else bias.data[:out_features])
        return head.requires_grad_(False)

    def to_sequential(self) -> nn.Sequential:
        """Return the same function as stock ``nn.Linear`` layers and activations."""
        return nn.Sequential(self.projection)
