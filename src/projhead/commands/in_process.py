"""Run a verb in this process, as its command line would."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from pathlib import Path

from projhead.commands.compose import composed


def run_verb(verb: str, overrides: Sequence[str], folder: Path) -> float:
    """Return what a verb returns for its command line.

    Parameters
    ----------
    verb : str
    overrides : sequence of str
        Such as ``["index=exact", "store=stores/docs"]``.
    folder : path
        Of the run; made where it is not there.
    """
    folder.mkdir(parents=True, exist_ok=True)
    found: float = importlib.import_module(f"projhead.commands.{verb}").run(composed(verb, overrides, folder))
    return found
