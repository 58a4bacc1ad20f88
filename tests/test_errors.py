"""The user's faults are one line; ours are not."""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from projhead.cli import _one_error_path
from projhead.errors import UserError, mendable, nearest
from projhead.vectors import unit_rows


def _error(call: Callable[[], Any]) -> Exception:
    try:
        call()
    except Exception as error:
        return error
    raise AssertionError("no error")


def test_what_our_checks_refuse_is_the_users() -> None:
    error = _error(lambda: unit_rows(np.zeros(3, np.float32)))
    assert mendable(error) == " ".join(str(error).split())
    assert mendable(UserError("a: got b,\n  expected c")) == "a: got b, expected c"
    assert mendable(UserError("no id \x1b[2J here")) == r"no id \x1b[2J here"


def test_what_a_library_refuses_in_our_hands_is_ours() -> None:
    assert mendable(_error(lambda: np.zeros(3).reshape(2, 2))) is None
    assert mendable(_error(lambda: unit_rows({1, 2}))) is None  # type: ignore[arg-type]
    assert mendable(_error(lambda: {}["x"])) is None


def test_what_the_system_refuses_says_where_and_what_to_do() -> None:
    assert mendable(_error(lambda: open("/nonexistent"))) == "/nonexistent: no such file or directory"  # noqa: SIM115
    full = OSError(errno.ENOSPC, "No space left on device", "store/a")
    assert mendable(full) == "store/a: no space left on device; free some space, or write to another disk"
    assert mendable(RuntimeError("error writing: No space left on device")) is not None
    assert mendable(MemoryError()) == "out of memory (no more said): ask for less at once"


@pytest.mark.parametrize(("word", "said"), [("trian", "; did you mean train?"), ("xyz", "")])
def test_the_nearest_known_word(word: str, said: str) -> None:
    assert nearest(word, ["train", "search"]) == said


def test_an_interrupt_is_told_once_and_ends_with_its_status(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended, _one_error_path("encode"), _one_error_path("encode"):
        raise KeyboardInterrupt
    assert ended.value.code == 130
    assert capsys.readouterr().err == "projhead encode: interrupted\n"
