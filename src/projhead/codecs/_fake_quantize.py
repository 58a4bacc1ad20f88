"""What the fake-quantized forms of all codecs share."""

from __future__ import annotations

from torch import Tensor, nn


class FakeQuantized(nn.Module):
    """A codec as a torch module: rows (b, k) to what their codes say of them, (b, k), not yet of unit length.

    Where a code is a step function of its row the gradient passes it straight (Bengio et al., "Estimating or
    propagating gradients through stochastic neurons", 2013).

    References
    ----------
    - https://arxiv.org/abs/1308.3432
    """

    def state(self) -> dict[str, Tensor]:
        """Return the codec's state as learned, under the codec's names."""
        return dict(self.state_dict())


def straight_through(rows: Tensor, decoded: Tensor) -> Tensor:
    """Return `decoded`, whose gradient goes to `rows` as well as to what made it."""
    return decoded + (rows - rows.detach())
