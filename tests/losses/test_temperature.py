from __future__ import annotations

import pytest
import torch
from torch import nn

from projhead.losses.info_nce import InfoNCE
from projhead.losses.neighbor_kl import NeighborKL

_GENERATOR = torch.Generator().manual_seed(0)
TEACHER = torch.rand(64, 200, generator=_GENERATOR)
#: What fewer dimensions do: the same order, spread three times as wide, and noise.
STUDENT = 3 * TEACHER + 0.02 * torch.randn(64, 200, generator=_GENERATOR)
OWN = torch.zeros(64, 200, dtype=torch.bool)


def _at(loss: nn.Module, value: float) -> float:
    with torch.no_grad():
        for parameter in loss.parameters():
            parameter.fill_(torch.tensor(value).log())
    return float(loss(STUDENT, TEACHER, OWN).detach())


@pytest.mark.parametrize("make", [NeighborKL, InfoNCE])
def test_the_fitted_temperature_is_the_best_of_all(make: type[nn.Module]) -> None:
    loss = make()
    loss.fit_temperature(STUDENT, TEACHER, OWN)
    found = loss(STUDENT, TEACHER, OWN).item()
    tried = [_at(make(), 0.01 * 1.02**i) for i in range(230)]
    assert found <= min(tried) * 1.1
    assert found < 0.5 * _at(make(), 0.05)


def test_where_the_student_is_the_teacher_spread_wide_it_is_as_much_larger() -> None:
    loss = NeighborKL()
    loss.fit_temperature(3 * TEACHER, TEACHER, OWN)
    assert loss.temperatures[0]().item() == pytest.approx(0.15, rel=0.04)


@pytest.mark.parametrize("loss", [NeighborKL(student_temperature=0.2), InfoNCE(temperature=0.2)])
def test_one_that_is_given_stays(loss: nn.Module) -> None:
    loss.fit_temperature(STUDENT, TEACHER, OWN)
    (parameter,) = loss.parameters()
    assert parameter.exp().item() == pytest.approx(0.2)
    assert not parameter.requires_grad


def test_few_looks_find_it() -> None:
    looks, temperature = [], NeighborKL().temperatures[0]

    def loss() -> torch.Tensor:
        looks.append(float(temperature().detach()))
        return (STUDENT / temperature()).logsumexp(1).mean() - (STUDENT * TEACHER).mean() / temperature()

    temperature.fit(loss)
    assert len(looks) < 20
    assert len(set(looks)) > 5
