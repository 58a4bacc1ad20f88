"""Silence other libraries' messages that a user cannot act on."""

from __future__ import annotations

import ctypes
import logging
import os
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager


@contextmanager
def quiet(*loggers: str, ignore: Sequence[str] = (), level: int = logging.ERROR) -> Iterator[None]:
    """Let loggers say nothing below `level`, and warnings that match a pattern of `ignore` nothing at all."""
    before = {name: logging.getLogger(name).level for name in loggers}
    with warnings.catch_warnings():
        for message in ignore:
            warnings.filterwarnings("ignore", message=f".*{message}")
        for name in loggers:
            logging.getLogger(name).setLevel(level)
        try:
            yield
        finally:
            for name, old in before.items():
                logging.getLogger(name).setLevel(old)


@contextmanager
def silent() -> Iterator[None]:
    """Let nothing through to the standard output, of libraries of C too; the whole process is silent."""
    flush, shown = ctypes.CDLL(None).fflush, 1
    sys.stdout.flush()
    flush(None)
    before, nothing = os.dup(shown), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, shown)
    try:
        yield
    finally:
        flush(None)
        os.dup2(before, shown)
        os.close(before)
        os.close(nothing)
