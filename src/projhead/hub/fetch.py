"""Fetch a folder of projhead's from the model hub: the record first, and then what it names."""

from __future__ import annotations

import glob
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from projhead.errors import UserError
from projhead.persistence.record import CARD, file_name, read_record

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
    with _one_line(repository, kind):
        first = Path(hf_hub_download(repository, file_name(kind), revision=revision, token=token))
    record = read_record(first.parent, kind, (), check=False)
    wanted = [glob.escape(one) for one in (*record.files, file_name(kind), CARD)]
    with _one_line(repository, kind):
        commit = first.parent.name  # the one that the record is of, whatever moves meanwhile
        return Path(snapshot_download(repository, revision=commit, allow_patterns=wanted, token=token))


@contextmanager
def _one_line(repository: str, kind: str) -> Iterator[None]:
    """Tell in one line why the hub does not give something."""
    from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError

    try:
        yield
    except Exception as error:  # of the hub's client and whichever http library it uses
        if isinstance(error, EntryNotFoundError) and not isinstance(error, LocalEntryNotFoundError):
            raise FileNotFoundError(f"{repository} on the hub is no {kind}: it has no {file_name(kind)}") from None
        raise FileNotFoundError(
            f"{repository}: no such path, and the hub does not give it: {reason(error)}; check the name, the "
            "revision and the connection, or log in (hf auth login)"
        ) from None


def reason(error: Any) -> str:
    """Return the first line of what an error comes from, which never holds a token."""
    while error.__cause__ is not None:
        error = error.__cause__
    return (str(error).strip() or type(error).__name__).splitlines()[0]
