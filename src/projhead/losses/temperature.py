"""The student's temperature: fitted at the start, then learned."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

#: What is tried, a twentieth apart.
_GRID = 0.01 * 1.05 ** torch.arange(95)  # 0.01 to 1


class Temperature(nn.Module):
    """A positive number that similarities are divided by.

    Fewer dimensions spread cosines wider: the temperature that suits the teacher does not suit the student. A head that
    cannot change it bends its rows instead. So it is fitted before the first step, and learned with the head (Radford
    et al., "Learning Transferable Visual Models From Natural Language Supervision", 2021).

    Parameters
    ----------
    value : float
        Where it begins.
    learned : bool
        Whether it is fitted and learned; otherwise it stays.

    References
    ----------
    - https://arxiv.org/abs/2103.00020
    """

    def __init__(self, value: float, learned: bool = True) -> None:
        super().__init__()
        self.log = nn.Parameter(torch.tensor(float(value)).log(), requires_grad=learned)

    def forward(self) -> Tensor:
        """Return the number."""
        return self.log.exp()

    @torch.no_grad()
    def fit(self, loss: Callable[[], Tensor]) -> None:
        """Take the number at which a loss, which looks at this temperature, is least.

        A softmax's cross-entropy is convex in one over the temperature: it falls, then rises, and halving finds where.
        """
        if not self.log.requires_grad:
            return

        def at(i: int) -> Tensor:
            self.log.fill_(_GRID[i].log())
            return loss()

        low, high = 0, len(_GRID) - 1
        while low < high:
            middle = (low + high) // 2
            low, high = (low, middle) if at(middle) <= at(middle + 1) else (middle + 1, high)
        self.log.fill_(_GRID[low].log())
