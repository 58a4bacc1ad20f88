"""Settings against signatures: what is nonsense is refused by name, what is meant is read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from numbers import Real
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from annotated_types import Ge, Gt, Interval
from sklearn.utils._param_validation import Interval as Range

from projhead.errors import UserError
from projhead.settings.check import check
from projhead.settings.kinds import in_words


class Part:
    def __init__(self, scale: Annotated[float, Gt(0)] = 1.0) -> None: ...


class Whole:
    _parameter_constraints = {"power": [Range(Real, 0, 2, closed="both"), None]}  # noqa: RUF012

    def __init__(
        self,
        name: str,
        size: Annotated[int, Ge(1)] = 3,
        share: Annotated[float, Interval(ge=0, le=1)] | None = None,
        keep: bool = True,
        kind: Literal["a", "b"] = "a",
        widths: Sequence[Annotated[int, Ge(1)]] = (),
        power: float | None = None,
        part: Part | None = None,
        more: Mapping[str, Any] | None = None,
        folder: str | Path = ".",
    ) -> None: ...


def _checked(**settings: Any) -> dict[str, Any]:
    return check({"name": "x", **settings}, Whole)


@pytest.mark.parametrize(
    ("word", "meant"),
    [(w, w in ("yes", "on", "true", "y")) for w in ("yes", "no", "on", "off", "y", "n")],
)
def test_words_for_yes_and_no_mean_what_they_say(word: str, meant: bool) -> None:
    assert _checked(keep=word) == {"keep": meant}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"size": 0}, "size: got 0, expected a whole number of at least 1"),
        ({"size": True}, "size: got True"),
        ({"size": "3"}, "size: got '3'"),
        ({"size": 2.5}, "size: got 2.5"),
        ({"size": None}, "size: got None"),
        ({"share": float("nan")}, "share: got nan, expected a number of at least 0 and of at most 1, or null"),
        ({"share": float("inf")}, "share: got inf"),
        ({"keep": "maybe"}, "keep: got 'maybe', expected yes or no"),
        ({"keep": 3}, "keep: got 3"),
        ({"kind": "c"}, "kind: got 'c', expected a or b"),
        ({"widths": [32, 0]}, "widths: got [32, 0], expected a list of which each is a whole number of at least 1"),
        ({"widths": "32"}, "widths: got '32'"),
        ({"power": 3.0}, "power: got 3.0, expected a float in the range [0.0, 2.0] or None"),
        ({"part": "small"}, "part: got 'small', expected a Part, or null"),
        ({"sise": 3}, "sise: no such setting; did you mean size?"),
        ({"name": "???"}, "name: not given, expected text"),
        ({"part": {"_target_": f"{__name__}.Nothing"}}, "part._target_: got"),
        ({"part": {"_target_": "os"}}, "part._target_: got 'os', expected the path of a class"),
    ],
)
def test_nonsense_is_refused_by_name(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError) as refused:
        _checked(**settings)
    assert str(refused.value).startswith(message)
    assert "\n" not in str(refused.value)


def test_a_node_is_checked_against_its_own_target() -> None:
    node = {"_target_": "sklearn.decomposition.PCA", "n_components": -1}
    with pytest.raises(UserError, match=r"^reducer.n_components: got -1, expected an int in the range"):
        check({"reducer": node})
    node = {"_target_": "sklearn.decomposition.PCA", "n_component": 1}
    with pytest.raises(UserError, match=r"^reducer.n_component: no such setting; did you mean n_components\?$"):
        check({"reducer": node})


def test_a_partial_node_may_leave_out_what_comes_later() -> None:
    node = {"_target_": "torch.optim.AdamW", "lr": 0.1}
    check({"optimizer": {"_partial_": True, **node}})
    with pytest.raises(UserError, match=r"^optimizer.params: not given"):
        check({"optimizer": node})


def test_sound_settings_pass_as_they_are() -> None:
    node = {"_target_": "torch.nn.ReLU"}
    settings = {"size": 5, "share": 0.5, "keep": False, "kind": "b", "widths": [1, 2], "power": 1.0, "folder": "x"}
    assert _checked(**settings, more={"a": node}) == {}
    assert _checked(name=7, size=4.0, share=1) == {"name": "7", "size": 4, "share": 1.0}


def test_kinds_in_words() -> None:
    assert in_words(dict[str, int]) == "settings by name"
    assert in_words(str | Sequence[str] | None) == "text, or a list of which each is text, or null"
