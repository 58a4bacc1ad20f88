from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from projhead.heads.rotation import Rotation
from projhead.reducers.base import load_reducer
from projhead.reducers.learned import LearnedReducer
from projhead.reducers.pca import PCA
from projhead.reducers.truncation import Truncation
from projhead.vectors import Vectors, neighbor_overlap, unit_rows


def test_its_rows_are_those_of_gram_and_schmidt() -> None:
    weight, x = torch.randn(3, 7, dtype=torch.float64), torch.randn(5, 7)
    head = Rotation(7, 3)
    head.initialize(weight.float())
    expected: list[torch.Tensor] = []
    for row in weight:
        rest = row - sum((row @ other) * other for other in expected)
        expected.append(rest / rest.norm())
    torch.testing.assert_close(head(x), (x.double() @ torch.stack(expected).T).float())


def test_orthonormal_rows_stay_what_they_are() -> None:
    weight = torch.linalg.qr(torch.randn(7, 3)).Q.T.contiguous()
    head = Rotation(7, 3)
    head.initialize(weight)
    torch.testing.assert_close(head(torch.eye(7)).T, weight)


def test_training_turns_it_and_never_scales_it() -> None:
    head, x = Rotation(6, 3), torch.randn(40, 6)
    before = head(torch.eye(6)).detach().T
    optimizer = torch.optim.SGD(head.parameters(), lr=0.1)
    for _ in range(5):
        optimizer.zero_grad()
        head(x).abs().sum().backward()  # shorter outputs are better: a free matrix would shrink
        optimizer.step()
    after = head(torch.eye(6)).detach().T
    torch.testing.assert_close(after @ after.T, torch.eye(3))
    assert (after - before).abs().max() > 0.01
    free = head.projection.weight.detach().clone()
    assert (free @ free.T - torch.eye(3)).abs().max() > 0.01
    torch.testing.assert_close(head.eval()(torch.eye(6)).T, after)
    torch.testing.assert_close(head.projection.weight.data, after)


def test_fewer_directions_than_outputs_are_made_up_to_a_rotation() -> None:
    head, weight = Rotation(5, 3), torch.zeros(3, 5)
    weight[0, 2] = 2
    head.initialize(weight)
    rows = head(torch.eye(5)).T
    torch.testing.assert_close(rows @ rows.T, torch.eye(3))
    torch.testing.assert_close(rows[0], torch.eye(5)[2])
    head(torch.randn(4, 5)).square().sum().backward()  # type: ignore[no-untyped-call]
    assert head.projection.weight.grad is not None
    assert head.projection.weight.grad.isfinite().all()


def test_stock_layers_give_the_same_function() -> None:
    head, x = Rotation(7, 3), torch.randn(5, 7)
    nn.init.normal_(head.projection.weight)
    stock = head.to_sequential()
    assert [type(layer) for layer in stock] == [nn.Linear]
    torch.testing.assert_close(stock(x), head(x))


@pytest.mark.parametrize("width", [1, 3])
def test_a_prefix_gives_the_first_outputs(width: int) -> None:
    head, x = Rotation(7, 4), torch.randn(5, 7)
    nn.init.normal_(head.projection.weight)
    torch.testing.assert_close(head.prefix(width)(x), head(x)[:, :width])


def test_a_fit_with_it_is_saved_cut_and_one_matrix(rows: Vectors, tmp_path: Path) -> None:
    fitted = LearnedReducer(6, head=Rotation, nested=[3], max_steps=4, steps_per_epoch=2).fit(rows)
    reduced = fitted.transform(rows)
    (layer,) = fitted.head_.to_sequential()  # type: ignore[operator]
    weight = layer.weight.detach().numpy()
    np.testing.assert_allclose(weight @ weight.T, np.eye(6), atol=1e-5)
    np.testing.assert_allclose(reduced, unit_rows(rows @ weight.T), atol=1e-5)
    fitted.save(tmp_path / "artifact")
    loaded = load_reducer(tmp_path / "artifact")
    np.testing.assert_array_equal(loaded.transform(rows), reduced)
    np.testing.assert_allclose(loaded.prefix(3).transform(rows), unit_rows(reduced[:, :3]), atol=1e-5)


def test_nested_at_full_width_it_changes_no_score_and_its_first_columns_are_above_pca(rows: Vectors) -> None:
    train, test = rows[:450], rows[450:]
    fast = partial(torch.optim.AdamW, lr=1e-2)  # few rows are trained on slowly where nothing is said
    whole = LearnedReducer(32, head=Rotation, nested=[4, 8, 16, 24], max_steps=60, optimizer=fast, blend=1.0)
    whole.fit(train)
    reduced = whole.transform(test)
    np.testing.assert_allclose(reduced @ reduced.T, test @ test.T, atol=1e-6)
    for k in (4, 8):
        kept = neighbor_overlap(test, whole.prefix(k).transform(test), [10]).mean()
        for other in (PCA(k), PCA(k, center=False), Truncation(k)):
            assert kept > neighbor_overlap(test, other.fit(train).transform(test), [10]).mean()
    wide, forms = whole.prefix(24).transform(test), [PCA(24), PCA(24, center=False)]  # what narrow ones do not cost
    best = np.max([neighbor_overlap(test, one.fit(train).transform(test), [10, 50]).mean(0) for one in forms], axis=0)
    assert (neighbor_overlap(test, wide, [10, 50]).mean(0) > best - 0.005).all()
    (layer,) = whole.head_.to_sequential()  # type: ignore[operator]
    assert isinstance(layer, nn.Linear)
