"""``projhead VERB ...``: the verb picks a Hydra config and a command, Hydra does the rest."""

from __future__ import annotations

import importlib
import logging
import os
import signal
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

from projhead.commands.conf import help_of
from projhead.errors import UserError, mendable, nearest
from projhead.settings.options import add_options, conf_dir
from projhead.training.processes import rank

VERBS = {
    "train": "train a head on a teacher's vectors and compare it with PCA",
    "evaluate": "measure artifacts and exported students on tasks, with intervals",
    "export": "write the encoder with the head inside: sentence-transformers, ONNX, int8",
    "encode": "encode a corpus into a store of vectors, resumable",
    "index": "build a search index over a store, add to it, delete from it",
    "plan": "say whether vectors need nothing, bits, PCA or a head where they are searched",
    "search": "answer typed queries with texts and scores",
    "load": "load a store into PostgreSQL, LanceDB, Milvus or Qdrant, resumable, checked against exact search",
    "push": "send an artifact, an export or an encoder to the model hub",
    "report": "make tables and an HTML page from result rows",
    "demo": "all of it in a row, on text that every machine has",
}

_USAGE = f"""\
projhead: learned low-dimensional projection heads, the trained alternative to PCA.

usage: projhead VERB [group=option] [key=value] ...

{chr(10).join(f"  {verb:<9} {text}" for verb, text in VERBS.items())}

projhead VERB --help      what a verb does, its groups and settings; --help GROUP: the options of one
projhead VERB --cfg job   the settings a run would have
projhead VERB -m a=1,2    one run per combination
projhead --version
eval "$(projhead --completion bash)"   lets bash, or zsh, complete verbs, groups, options and settings
"""


def _task(verb: str, jobs: list[Any]) -> Callable[[Any], Any]:
    """Return the function that Hydra calls with a run's settings; it adds these and the run's folder to `jobs`."""

    def run(cfg: Any) -> Any:
        # httpx, huggingface_hub and friends tell of every request at INFO.
        logging.getLogger().setLevel(logging.WARNING)
        with _one_error_path(verb):
            from projhead.commands.compose import checked
            from projhead.persistence.names import trusting

            settings = checked(verb, cfg)
            jobs.append(_job())
            with trusting(settings.get("trusted") or []):
                return importlib.import_module(f"projhead.commands.{verb}").run(settings)

    return run


@contextmanager
def _one_error_path(verb: str) -> Iterator[None]:
    """End with one line and status 2 on a user's mistake, with a traceback on ours.

    130 is the status after Ctrl-C and 143 after SIGTERM, as shells have it; ``PROJHEAD_DEBUG=1`` shows all tracebacks.
    """
    try:
        yield
    except (KeyboardInterrupt, SystemExit) as error:
        # Lightning ends a run by SystemExit(1) after Ctrl-C; 130 was told already.
        if isinstance(error, SystemExit) and (
            error.code == 130 or not isinstance(error.__context__, KeyboardInterrupt)
        ):
            raise
        _tell(f"projhead {verb}: interrupted{_resume(verb)}")
        raise SystemExit(130) from None
    except Exception as error:
        from projhead.commands.compose import understood

        if os.environ.get("PROJHEAD_DEBUG"):
            traceback.print_exc()
        line = mendable(understood(error, verb))
        if line is None:
            traceback.print_exc()
            print(f"projhead {verb}: this is a fault of projhead: please report the lines above", file=sys.stderr)
            raise SystemExit(1) from None
        _tell(f"projhead {verb}: {line}")
        raise SystemExit(2) from None


def _job() -> tuple[list[str], Path]:
    """Return what was asked of this run, and its folder."""
    from hydra.core.hydra_config import HydraConfig

    config = HydraConfig.get()
    return list(config.overrides.task), Path(config.runtime.output_dir)


def _tell(line: str) -> None:
    """Print to stderr, where this is the first process."""
    if not rank():
        print(line, file=sys.stderr)


def _terminated(verb: str) -> Callable[[int, FrameType | None], None]:
    def end(number: int, frame: FrameType | None) -> None:
        _tell(f"projhead {verb}: terminated{_resume(verb)}")
        raise SystemExit(128 + number)

    return end


def _check_options(arguments: Sequence[str]) -> None:
    """Refuse an option that Hydra does not know, or that lacks its value; know the options of ``--config-dir``."""
    from hydra._internal.utils import get_args_parser

    parser = get_args_parser()

    def refuse(message: str) -> NoReturn:
        known = [name for action in parser._actions for name in action.option_strings]
        unknown = message.partition("unrecognized arguments: ")[2].split(" ")[0].partition("=")[0]
        advice = nearest(unknown, known) if unknown else ""
        raise UserError(f"{message}{advice or '; settings are given as key=value'}")

    parser.error = refuse  # type: ignore[method-assign]
    if folder := parser.parse_args(arguments).config_dir:
        add_options(folder)


def _settings_last(arguments: Sequence[str]) -> list[str]:
    """Put settings behind options: argparse takes them from one place only, people write them as they come."""
    settings = [one for one in arguments if one.startswith("~") or ("=" in one and not one.startswith("-"))]
    return [*(one for one in arguments if one not in settings), *settings]


def _resume(verb: str) -> str:
    """Return what goes on with an interrupted run."""
    if verb != "train" or "hydra.core.hydra_config" not in sys.modules:
        return ""
    config = sys.modules["hydra.core.hydra_config"].HydraConfig
    return f"; go on: projhead train run_dir={config.get().runtime.output_dir}" if config.initialized() else ""


def _complete(arguments: Sequence[str]) -> None:
    """Print a shell's script, or completions of a line."""
    from projhead.commands.completion import SCRIPTS, candidates

    option, word = arguments[0], " ".join(arguments[1:])
    if option == "--complete":
        print("\n".join(candidates(word, list(VERBS))))
    elif word in SCRIPTS:
        print(SCRIPTS[word], end="")
    else:
        print(f"projhead --completion: got {word!r}, expected one of {', '.join(SCRIPTS)}", file=sys.stderr)
        raise SystemExit(2)


def _run(verb: str, arguments: Sequence[str]) -> None:
    """Let Hydra run a verb, as ``hydra.main`` does, but leave ``sys.argv``: Lightning starts other processes by it."""
    from hydra import version as hydra_version
    from hydra._internal.utils import _run_hydra, get_args_parser

    from projhead.commands.compose import name_options

    hydra_version.setbase("1.3")
    name_options()
    parser = get_args_parser()
    given = parser.parse_args(arguments)
    jobs: list[tuple[list[str], Path]] = []
    _run_hydra(given, parser, _task(verb, jobs), config_path=str(conf_dir()), config_name=verb)
    if len(jobs) > 1:
        from projhead.console.fitted import fitted
        from projhead.report.together import together

        print(fitted(f"\n{together(jobs)}"))


def _placed(arguments: Sequence[str]) -> list[str]:
    """Put a process that Lightning started into the run folder of the first."""
    folder = next((one.partition("=")[2] for one in arguments if one.startswith("hydra.run.dir=")), None)
    if folder is None or not rank():
        return list(arguments)
    return [*(one for one in arguments if not one.startswith("run_dir=")), f"run_dir={folder}"]


def main() -> None:
    """Run the command line."""
    arguments = sys.argv[1:]
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(_USAGE)
        return
    if arguments[0] == "--version":
        print(f"projhead {version('projhead')}")
        return
    if arguments[0] in ("--completion", "--complete"):
        _complete(arguments)
        return
    from projhead.commands.spelling import spelled, verb_now

    verb, rest = verb_now(arguments[0]), arguments[1:]
    if verb != arguments[0]:
        print(f"projhead: {arguments[0]} is now {verb}", file=sys.stderr)
    if verb not in VERBS:
        print(f"projhead: no verb {verb!r}, expected one of {', '.join(VERBS)}{nearest(verb, VERBS)}", file=sys.stderr)
        raise SystemExit(2)
    signal.signal(signal.SIGTERM, _terminated(verb))
    with _one_error_path(verb):
        if {"-h", "--help"} & set(rest):
            print(help_of(verb, next((one for one in rest if not one.startswith("-") and "=" not in one), None)))
            return
        sys.path.append(os.getcwd())  # where a package of the user's own is; last, so that it hides nothing
        rest, notes = spelled(verb, _settings_last(rest))
        _check_options(rest)
        print("".join(f"projhead {verb}: {note}\n" for note in notes), file=sys.stderr, end="")
        os.environ["HYDRA_FULL_ERROR"] = "1"  # errors come out of Hydra as they are, and are told in one way
        if rank():
            sys.stdout = open(os.devnull, "w")  # noqa: SIM115 the first process alone prints
        _run(verb, _placed(rest))


if __name__ == "__main__":
    main()
