"""``projhead VERB ...``: the verb picks a Hydra config and a command, Hydra does the rest."""

from __future__ import annotations

import importlib
import logging
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

VERBS = {
    "train": "train a head on a teacher's vectors and compare it with PCA",
    "evaluate": "measure artifacts and exported students on tasks, with intervals",
    "export": "write the encoder with the head inside: sentence-transformers, ONNX, int8",
    "encode": "encode a corpus into a store of vectors, resumable",
    "index": "build a search index over a store, add to it, delete from it",
    "budget": "say what so many vectors take in memory and on disk, and what each form keeps",
    "search": "answer typed queries with texts and scores",
    "report": "make tables and an HTML page from result rows",
    "demo": "all of it in a row, on text that every machine has",
}

_USAGE = f"""\
projhead: learned low-dimensional projection heads, the trained alternative to PCA.

usage: projhead VERB [group=option] [key=value] ...

{chr(10).join(f"  {verb:<9} {text}" for verb, text in VERBS.items())}

projhead VERB --help      what a verb does, its groups and settings
projhead VERB --cfg job   the settings a run would have
projhead VERB -m a=1,2    one run per combination
projhead --version
"""


def conf_dir() -> Path:
    """Return the folder of Hydra configs: inside an installed package, at the top of a checkout otherwise."""
    package = Path(__file__).resolve().parent
    packaged = package / "conf"
    return packaged if packaged.is_dir() else package.parents[1] / "conf"


def _task(verb: str) -> Callable[[Any], Any]:
    """Return the function that Hydra calls; errors a user can act on end in one line, not in a traceback."""

    def run(cfg: Any) -> Any:
        from hydra.errors import InstantiationException

        # httpx, huggingface_hub and friends tell of every request at INFO.
        logging.getLogger().setLevel(logging.WARNING)
        try:
            return importlib.import_module(f"projhead.commands.{verb}").run(cfg)
        except (ValueError, OSError, ImportError, InstantiationException) as error:
            if logging.getLogger("projhead").isEnabledFor(logging.DEBUG):
                raise
            cause = error.__cause__ if isinstance(error, InstantiationException) and error.__cause__ else error
            print(f"projhead {verb}: {type(cause).__name__}: {cause}", file=sys.stderr)
            raise SystemExit(1) from None

    return run


def main() -> None:
    """Run the command line."""
    arguments = sys.argv[1:]
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(_USAGE)
        return
    if arguments[0] == "--version":
        print(f"projhead {version('projhead')}")
        return
    verb, *rest = arguments
    if verb not in VERBS:
        print(f"projhead: no verb {verb!r}; expected one of {', '.join(VERBS)}\n\n{_USAGE}", file=sys.stderr)
        raise SystemExit(2)
    import hydra

    sys.argv = [f"projhead {verb}", *rest]
    hydra.main(version_base="1.3", config_path=str(conf_dir()), config_name=verb)(_task(verb))()


if __name__ == "__main__":
    main()
