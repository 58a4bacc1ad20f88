from __future__ import annotations

import pytest

from projhead.heads.residual_mlp import ResidualMLP
from projhead.persistence import registry as spec


def test_an_object_is_rebuilt_with_its_arguments() -> None:
    record = spec.spec_of(ResidualMLP(6, 3, hidden_features=5))
    assert record == {
        "class": "projhead.heads.residual_mlp.ResidualMLP",
        "parameters": {"in_features": 6, "out_features": 3, "hidden_features": 5, "activation": "relu"},
    }
    assert spec.spec_of(spec.build(record, "projhead.heads")) == record


@pytest.mark.parametrize(
    "record",
    [
        {"class": "os.system", "parameters": {}},
        {"class": "subprocess.Popen", "parameters": {"args": "true"}},
        {"class": "projhead.reducers.pca.PCA", "parameters": {}},  # ours, but not of the package asked for
        {"class": "projhead.heads.residual_mlp.nn", "parameters": {}},
        {
            "class": "projhead.heads.residual_mlp.Tensor",
            "parameters": {},
        },  # reached through our module, not ours
        {"class": "projhead.heads.nothing.Nothing", "parameters": {}},
        {"class": "projhead.heads.linear.Linear", "parameters": {"no_such": 1}},
        {"class": "projhead.heads.linear.Linear", "parameters": {}, "extra": 1},
        {"class": "projhead.heads.linear.Linear"},
        "projhead.heads.linear.Linear",
        None,
    ],
)
def test_anything_else_is_refused(record: object) -> None:
    with pytest.raises(ValueError, match=r"expected|refused|has no|does not take|not a class"):
        spec.build(record, "projhead.heads")
