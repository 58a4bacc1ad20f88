"""Names, descriptions, and what may be built from them."""

from __future__ import annotations

import functools
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hydra.utils import get_object
from sklearn.base import clone
from torch import nn

from projhead.heads.residual_mlp import ResidualMLP
from projhead.indexes.faiss import FaissIndex
from projhead.indexes.rescore import RescoreIndex
from projhead.losses.neighbor_kl import NeighborKL
from projhead.persistence.names import ROOMS, _classes, class_named, name_of, trusting
from projhead.persistence.registry import Described, build, is_whole, spec_of
from projhead.reducers.base import load_reducer
from projhead.reducers.learned import LearnedReducer
from projhead.settings.options import conf_dir
from projhead.vectors import Vectors

TARGETS = sorted(
    {
        target
        for path in conf_dir().rglob("*.yaml")
        for target in re.findall(r"_target_: (projhead\.[\w.]+)", path.read_text(encoding="utf-8"))
        if target.split(".")[1] in ROOMS.values()
    }
)

#: A package of a user's own.
OWN = """
from torch import nn
from projhead.heads.linear import Linear

class Mine(Linear):
    def __init__(self, in_features, out_features, scale=2.0):
        super().__init__(in_features, out_features)
        self.scale = scale
    def forward(self, x):
        return self.scale * super().forward(x)
    def prefix(self, out_features):
        head = type(self)(self.in_features, out_features)
        head.load_state_dict({name: tensor[:out_features] for name, tensor in self.state_dict().items()})
        return head.requires_grad_(False)

class Forgetful(Mine):
    def __init__(self, in_features, out_features, secret=1):
        super().__init__(in_features, out_features, scale=1.0)

class Loss(nn.Module):
    def forward(self, student, teacher, self_mask):
        return (student - teacher).square().mean()
"""


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    (tmp_path / "packages" / "my_package").mkdir(parents=True)
    (tmp_path / "packages" / "my_package" / "__init__.py").write_text("")
    (tmp_path / "packages" / "my_package" / "parts.py").write_text(OWN)
    monkeypatch.syspath_prepend(tmp_path / "packages")
    import my_package.parts  # type: ignore[import-not-found]

    yield my_package.parts
    for name in ("my_package", "my_package.parts"):
        sys.modules.pop(name, None)


@pytest.mark.parametrize("target", TARGETS)
def test_every_class_of_a_yaml_has_a_short_name_that_finds_it(target: str) -> None:
    found = get_object(target)
    if isinstance(found, type):
        kind, _, short = name_of(found).partition("/")
        assert short == target.rpartition(".")[2]
        assert class_named(name_of(found), kind) is found
        assert class_named(target, kind) is found  # as older versions wrote it


def test_no_two_classes_of_a_kind_share_a_name() -> None:
    for kind, room in ROOMS.items():
        sources = (conf_dir().parent / "src" / "projhead" / room).glob("*.py")
        names = [n for one in sources for n in re.findall(r"^class ([A-Z]\w*)", one.read_text("utf-8"), re.MULTILINE)]
        assert sorted(names) == sorted(_classes(kind)), room


def test_an_object_is_rebuilt_with_its_arguments() -> None:
    record = spec_of(ResidualMLP(6, 3, hidden_features=5))
    assert record["class"] == "head/ResidualMLP"
    assert record["parameters"].items() >= {"in_features": 6, "out_features": 3, "hidden_features": 5}.items()
    assert spec_of(build(record, "head")) == record
    assert is_whole(record, "head")


def test_objects_in_objects_are_rebuilt_and_the_rest_is_said() -> None:
    reducer = LearnedReducer(
        4,
        nested=(2,),
        head=functools.partial(ResidualMLP, hidden_features=5),
        loss=NeighborKL(),
        optimizer=functools.partial(torch.optim.AdamW, lr=0.5),
        callbacks={"a": nn.Identity()},  # type: ignore[dict-item]
        logger={"b": np.zeros((3, 3))},
    )
    record = json.loads(json.dumps(spec_of(reducer, brief=["callbacks"]), allow_nan=False))
    said = record["parameters"]
    assert said["nested"] == [2]
    assert said["head"] == {"partial": "head/ResidualMLP", "parameters": {"hidden_features": 5}}
    assert said["loss"]["class"] == "loss/NeighborKL"
    assert said["optimizer"] == {"partial": "torch.optim.adamw.AdamW", "parameters": {"lr": 0.5}}
    assert said["callbacks"] == {"a": {"undescribed": "torch.nn.modules.linear.Identity"}}
    assert said["logger"] == {"b": {"undescribed": "numpy.ndarray"}}
    again = build(record, "reducer")
    assert isinstance(again.loss, NeighborKL)
    assert again.head(in_features=6, out_features=3).hidden_features == 5
    assert spec_of(again, brief=["callbacks"]) == record  # what was not built is written again as it was
    assert isinstance(clone(again).optimizer, Described)
    with pytest.raises(ValueError, match=r"torch.optim.adamw.AdamW was described .* set it anew"):
        again.optimizer([])
    with pytest.raises(ValueError, match=r"numpy\.ndarray"):
        _ = again.logger["b"].shape


def test_an_index_in_an_index_is_rebuilt() -> None:
    again = build(spec_of(RescoreIndex(FaissIndex("IVF4,Flat", nprobe=2))), "index")
    assert (again.first.factory, again.first.nprobe) == ("IVF4,Flat", 2)


@pytest.mark.parametrize(
    "record",
    [
        {"class": "os.system", "parameters": {}},
        {"class": "subprocess.Popen", "parameters": {"args": "true"}},
        {"class": "reducer/PCA", "parameters": {}},  # ours, but another kind
        {"class": "projhead.reducers.pca.PCA", "parameters": {}},
        {"class": "projhead.persistence.files.Path", "parameters": {}},
        {"class": "head/nn", "parameters": {}},
        {"class": "head/Tensor", "parameters": {}},  # reached through our module, not ours
        {"class": "head/../Linear", "parameters": {}},
        {"class": "projhead.heads.residual_mlp.nn", "parameters": {}},
        {"class": "projhead.heads.nothing.Nothing", "parameters": {}},
        {"class": "head/Linear", "parameters": {"no_such": 1}},
        {"class": "head/Linear", "parameters": {}, "extra": 1},
        {"class": "head/Linear", "parameters": []},
        {"class": ["head/Linear"], "parameters": {}},
        {"class": "head/Linear"},
        "head/Linear",
        None,
    ],
)
def test_anything_else_is_refused(record: object) -> None:
    with pytest.raises(ValueError, match=r"expected|refused|has no|does not take"):
        build(record, "head")


@pytest.mark.parametrize(
    "value",
    [
        {"class": "subprocess.Popen", "parameters": {"args": "true"}},
        {"partial": "os.system", "parameters": {"0": "true"}},
        {"function": "os.system"},
        {"class": "encoder/SentenceTransformerEncoder", "parameters": {"path": "some/model"}},  # would ask the hub
        {"class": "head/Linear", "parameters": {"in_features": 10**9, "out_features": 10**9}},  # would fill memory
        {"undescribed": "anything"},
    ],
)
def test_what_a_stranger_puts_into_an_argument_is_not_built(value: dict[str, Any]) -> None:
    built = build({"class": "reducer/LearnedReducer", "parameters": {"optimizer": value}}, "reducer")
    assert built.optimizer == Described(value)


def test_own_classes_train_save_and_load_again_where_trusted(own: Any, rows: Vectors, tmp_path: Path) -> None:
    fitted = LearnedReducer(4, head=own.Mine, loss=own.Loss(), max_steps=2, blend=1.0)
    fitted.fit(rows).save(tmp_path / "artifact")
    with pytest.raises(
        ValueError, match=r"'my_package.parts.Mine' is not projhead's own head.*trusted=\['my_package'\]"
    ):
        load_reducer(tmp_path / "artifact")
    with pytest.raises(ValueError, match="would run its code"):
        load_reducer(tmp_path / "artifact", trusted=["my_pack"])  # a package, not the first letters of one
    loaded = load_reducer(tmp_path / "artifact", trusted=["my_package"])
    np.testing.assert_array_equal(loaded.transform(rows[:9]), fitted.transform(rows[:9]))
    assert isinstance(loaded.loss, own.Loss)
    assert loaded.head_.scale == 2.0
    with pytest.raises(ValueError, match="would run its code"):  # the word was for that call
        load_reducer(tmp_path / "artifact")


def test_an_own_class_that_forgets_an_argument_is_named_at_load(own: Any, rows: Vectors, tmp_path: Path) -> None:
    LearnedReducer(4, head=own.Forgetful, max_steps=2, blend=1.0).fit(rows).save(tmp_path / "artifact")
    with pytest.raises(ValueError, match=r"Forgetful cannot be built again: it does not keep its argument as self.s"):
        load_reducer(tmp_path / "artifact", trusted=["my_package"])


def test_a_trusted_class_that_is_gone_is_named() -> None:
    with trusting(["nowhere_at_all", "numpy", "os"]):
        with pytest.raises(ValueError, match="no module 'nowhere_at_all' can be imported"):
            build({"class": "nowhere_at_all.Head", "parameters": {}}, "head")
        with pytest.raises(ValueError, match=r"numpy.linalg.Gone is not there"):
            build({"class": "numpy.linalg.Gone", "parameters": {}}, "head")
        with pytest.raises(ValueError, match=r"got 'os\.system': refused"):  # Python's own are nobody's heads
            build({"class": "os.system", "parameters": {}}, "head")
