"""Run a verb in this process, as its command line would."""

from __future__ import annotations

import importlib
import shlex
from collections.abc import Sequence
from pathlib import Path

from projhead.commands.compose import composed


def run_verb(verb: str, overrides: Sequence[str], folder: Path, *, title: str | None = None) -> float:
    """Return what a verb returns for its command line.

    Parameters
    ----------
    verb : str
    overrides : sequence of str
        Such as ``["index=exact", "store=stores/docs"]``.
    folder : path
        Of the run; made where it is not there.
    title : str, optional
        Printed before the command line; nothing is printed where not given, the line alone where it is empty.
    """
    if title is not None:
        print(
            f"\n\n=== {title}" if title else "", f"\n$ projhead {verb} {shlex.join(overrides)}\n", sep="\n", flush=True
        )
    folder.mkdir(parents=True, exist_ok=True)
    found: float = importlib.import_module(f"projhead.commands.{verb}").run(composed(verb, overrides, folder))
    return found
