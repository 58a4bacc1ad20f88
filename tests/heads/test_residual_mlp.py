from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from projhead.heads.residual_mlp import ResidualMLP
from projhead.persistence.files import sha256_of
from projhead.reducers.base import load_reducer
from projhead.vectors import unit_rows

#: What projhead 0.1 recorded of a fit, mined neighbors among it.
LEARNED = {
    "n_components": 2, "nested": [], "codec": None, "raw_codes": False, "loss": None, "n_queries": 256,
    "n_anchors": 256, "n_documents": 1536, "near": 6, "group": 8, "depth": 16, "document_weight": 0.3,
    "label_margin": 0.1, "distortion_weight": 3.0, "max_anchors": 200000, "max_steps": 400, "steps_per_epoch": 25,
    "validation_rows": 1024, "random_state": 0,
}  # fmt: skip


def test_it_starts_as_the_linear_map() -> None:
    weight, x = torch.randn(3, 7), torch.randn(5, 7)
    head = ResidualMLP(7, 3, hidden_features=11)
    head.initialize(weight)
    torch.testing.assert_close(head(x), x @ weight.T)


@pytest.mark.parametrize("activation", ["relu", "gelu"])
def test_stock_layers_give_the_same_function(activation: str) -> None:
    head = ResidualMLP(7, 3, hidden_features=11, activation=activation)
    for parameter in head.parameters():
        nn.init.normal_(parameter)
    x = 3 * torch.randn(50, 7)
    hidden = getattr(nn.functional, activation)(
        x @ head.hidden.weight.T + (0 if head.hidden.bias is None else head.hidden.bias)
    )
    expected = x @ head.projection.weight.T + hidden @ head.output.weight.T
    stock = head.to_sequential()
    assert [type(layer) for layer in stock] == [nn.Linear, {"relu": nn.ReLU, "gelu": nn.GELU}[activation], nn.Linear]
    torch.testing.assert_close(stock(x), expected, atol=1e-4, rtol=1e-5)
    torch.testing.assert_close(head(x), expected, atol=1e-4, rtol=1e-5)


def test_a_longer_row_gives_a_longer_row_of_the_same_direction() -> None:
    head, x = ResidualMLP(7, 3, hidden_features=11), torch.randn(50, 7)
    nn.init.normal_(head.output.weight)
    torch.testing.assert_close(head(5 * x), 5 * head(x))
    torch.testing.assert_close(head.to_sequential()(5 * x), 5 * head(x), atol=1e-4, rtol=1e-5)


def test_it_can_be_taken_back_to_its_start() -> None:
    start, x = torch.randn(3, 7), torch.randn(50, 7)
    head = ResidualMLP(7, 3, hidden_features=11)
    for parameter in head.parameters():
        nn.init.normal_(parameter)
    torch.testing.assert_close(head.blended(start, 0)(x), x @ start.T)
    torch.testing.assert_close(head.blended(start, 1)(x), head(x))
    torch.testing.assert_close(head.blended(start, 0.25)(x), 0.75 * (x @ start.T) + 0.25 * head(x))


def test_an_artifact_of_the_smooth_form_still_loads(tmp_path: Path) -> None:
    """Written as projhead 0.1 wrote it: no activation is named, and there is a bias before it."""
    generator = torch.Generator().manual_seed(0)
    shapes = {"projection.weight": (2, 5), "hidden.weight": (4, 5), "hidden.bias": (4,), "output.weight": (2, 4)}
    state = {name: torch.randn(shape, generator=generator) for name, shape in shapes.items()}
    save_file({f"head.{name}": tensor for name, tensor in state.items()}, tmp_path / "model.safetensors")
    head = {"in_features": 5, "out_features": 2, "hidden_features": 4}
    config = {
        "format": "projhead-artifact", "version": 1, "kind": "learned", "codec": None, "fitted": {}, "teacher": None,
        "training": {"steps": 400},
        "reducer": {"class": "projhead.reducers.learned.LearnedReducer", "parameters": LEARNED},
        "head": {"class": "projhead.heads.residual_mlp.ResidualMLP", "parameters": head},
        "sha256": sha256_of(tmp_path / "model.safetensors"),
    }  # fmt: skip
    (tmp_path / "config.json").write_text(json.dumps(config))
    x = torch.nn.functional.normalize(torch.randn(9, 5, generator=generator))
    hidden = nn.functional.gelu(x @ state["hidden.weight"].T + state["hidden.bias"])
    expected = x @ state["projection.weight"].T + hidden @ state["output.weight"].T
    np.testing.assert_allclose(load_reducer(tmp_path).transform(x.numpy()), unit_rows(expected.numpy()), atol=1e-6)


def test_another_activation_is_refused() -> None:
    with pytest.raises(ValueError, match="activation: expected one of relu, gelu, got 'tanh'"):
        ResidualMLP(5, 2, activation="tanh")


def test_a_prefix_gives_the_first_outputs() -> None:
    head, x = ResidualMLP(6, 4, hidden_features=5), torch.randn(9, 6)
    for parameter in head.parameters():
        nn.init.normal_(parameter)
    torch.testing.assert_close(head.prefix(3)(x), head(x)[:, :3])
    torch.testing.assert_close(head.prefix(3).to_sequential()(x), head(x)[:, :3], atol=1e-5, rtol=1e-5)
