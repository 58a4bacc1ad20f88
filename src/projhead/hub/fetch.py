"""Fetch a folder from the model hub: its record first, then the files it names."""

from __future__ import annotations

import glob
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from projhead.errors import UserError, nearest
from projhead.persistence.record import CARD, file_name, read_record

#: That the hub may take to say whether it has something.
_SECONDS = 10
#: Owner and name.
REPOSITORY = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+", re.ASCII)


def is_repository(name: str | Path) -> bool:
    """Say whether a name can only mean a repository: there is no such path, and it reads ``owner/name``."""
    return not Path(name).exists() and REPOSITORY.fullmatch(str(name)) is not None


def folder_of(name: str | Path, kind: str, revision: str | None = None, *, token: str | None = None) -> Path:
    """Return the folder of a kind that a path, or a repository's name, stands for.

    Of a repository the record is taken first, and then the files that it names, of the same commit: nothing else that
    lies there is ever fetched.

    Parameters
    ----------
    name : path
        A path where there is one; ``owner/name`` otherwise.
    kind : str
        Such as ``"artifact"``.
    revision : str, optional
        A commit, tag or branch of the repository.
    token : str, optional
        Of the hub; what ``hf auth login`` or ``HF_TOKEN`` says where not given. It is neither kept nor printed.

    Raises
    ------
    FileNotFoundError
        If the hub does not give it, or it is nothing of that kind.
    ValueError
        If its record is damaged, or a revision is given for a path.
    """
    if not is_repository(name):
        if revision is not None:
            raise UserError(f"revision: got {revision!r} for a path, expected a repository of the hub, got {name}")
        return Path(name)
    from huggingface_hub import hf_hub_download, snapshot_download

    repository = str(name)
    problem = hub_problem(repository, revision, token)
    asked: dict[str, Any] = {"token": token, "local_files_only": bool(problem)}  # what was downloaded before will do
    with _one_line(repository, kind, problem):
        first = Path(hf_hub_download(repository, file_name(kind), revision=revision, **asked))
    record = read_record(first.parent, kind, (), check=False)
    wanted = [glob.escape(one) for one in (*record.files, file_name(kind), CARD)]
    with _one_line(repository, kind, problem):
        commit = first.parent.name  # the one that the record is of, whatever moves meanwhile
        return Path(snapshot_download(repository, revision=commit, allow_patterns=wanted, **asked))


def hub_problem(repository: str, revision: str | None, token: str | None = None) -> str:
    """Ask the hub for a model once, where downloads try for half a minute; return "" where all is well."""
    from huggingface_hub import HfApi

    try:
        HfApi().model_info(repository, revision=revision, timeout=_SECONDS, token=token)
    except Exception as error:  # of whichever http library this version uses
        return reason(error)
    return ""


@contextmanager
def _one_line(repository: str, kind: str, problem: str) -> Iterator[None]:
    """Tell in one line why the hub does not give something."""
    from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError

    try:
        yield
    except Exception as error:  # of the hub's client and whichever http library it uses
        if isinstance(error, EntryNotFoundError) and not isinstance(error, LocalEntryNotFoundError):
            raise FileNotFoundError(f"{repository} on the hub is no {kind}: it has no {file_name(kind)}") from None
        raise FileNotFoundError(
            f"{repository}: no such path{beside(repository)}, and the hub does not give it: "
            f"{problem or reason(error)}; check the name, the revision and the connection, or log in (hf auth login)"
        ) from None


def beside(path: str) -> str:
    """Return `` (did you mean ...?)`` where something is called nearly so as a path that is not there."""
    folder = Path(path).parent
    found = nearest(Path(path).name, (one.name for one in folder.iterdir())) if folder.is_dir() else ""
    return f" ({found[2:]})" if found else ""


def reason(error: Any) -> str:
    """Return the first line of what an error comes from, which never holds a token."""
    while error.__cause__ is not None:
        error = error.__cause__
    return (str(error).strip() or type(error).__name__).splitlines()[0]
