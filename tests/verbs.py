"""The command line in the process of the tests: one of its own would import torch for seconds."""

from __future__ import annotations

import io
import logging
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path

import pytest

from projhead.cli import main


def projhead(*words: object, root: Path | None = None, status: int = 0) -> str:
    """Run a command line as a user types it, and return what it printed.

    Parameters
    ----------
    *words : object
        The verb and what stands behind it.
    root : Path, optional
        Where it writes what has no other place.
    status : int
        That it ends with.
    """
    printed, ended = io.StringIO(), 0
    with _left_as_it_was() as patch, redirect_stdout(printed), redirect_stderr(printed):
        patch.setattr(sys, "argv", ["projhead", *map(str, words)])
        patch.setenv("HYDRA_FULL_ERROR", "")
        if root is not None:
            patch.setenv("PROJHEAD_ROOT", str(root))
        try:
            main()
        except SystemExit as error:
            ended = int(error.code or 0)
    said = printed.getvalue()
    assert ended == status, said[-5000:]
    return said


@contextmanager
def _left_as_it_was() -> Iterator[pytest.MonkeyPatch]:
    """Take back what a command line changes of its process."""
    log, on_terminate = logging.getLogger(), signal.getsignal(signal.SIGTERM)
    level, handlers = log.level, list(log.handlers)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "path", list(sys.path))
        # Hydra closes all handlers; absl's closes the stderr of pytest, as it finds another in its place.
        patch.setattr(logging, "shutdown", lambda *_: None)
        try:
            yield patch
        finally:
            signal.signal(signal.SIGTERM, on_terminate)
            log.handlers[:] = handlers
            log.setLevel(level)
