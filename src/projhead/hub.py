"""The model hub: a folder of projhead's goes there as it is, and comes back file by file as its record names them."""

from __future__ import annotations

import glob
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from projhead.errors import UserError
from projhead.persistence.record import CARD, Record, file_name, holds, read_record
from projhead.report.hub_card import with_front_matter
from projhead.report.results import read_results

#: Owner and name.
_REPOSITORY = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+", re.ASCII)
#: What may be pushed.
_KINDS = ("artifact", "export", "encoder")


def is_repository(name: str | Path) -> bool:
    """Say whether a name can only mean a repository: there is no such path, and it reads ``owner/name``."""
    return not Path(name).exists() and _REPOSITORY.fullmatch(str(name)) is not None


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


def push(
    folder: str | Path,
    repository: str,
    *,
    private: bool | None = None,
    create_pr: bool = False,
    revision: str | None = None,
    message: str | None = None,
    license: str | None = None,
    language: Sequence[str] = (),
    datasets: Sequence[str] = (),
    base_model: str | None = None,
    results: str | Path | None = None,
    token: str | None = None,
) -> str:
    """Send an artifact, an export or a distilled encoder to the model hub, in one commit.

    What the folder's record names is sent, the record and the card, nothing else that lies there. The card gets what
    hubs read on top: the folder itself stays as it is.

    Parameters
    ----------
    folder : path
        What ``projhead train`` or ``projhead export`` wrote.
    repository : str
        ``owner/name``; made where it is not there yet.
    private : bool, optional
        Of a new repository; as the owner's settings say where not given.
    create_pr : bool
        Propose it as a pull request.
    revision : str, optional
        A branch; made where it is not there yet.
    message : str, optional
        Of the commit.
    license, language, datasets, base_model : str or sequence of str, optional
        For the card; the base model is the teacher's name where that is one of the hub.
    results : path, optional
        Result rows for the card's model-index; those beside an artifact where not given.
    token : str, optional
        Of the hub; what ``hf auth login`` or ``HF_TOKEN`` says where not given. It is neither kept nor printed.

    Returns
    -------
    str
        Where it can be seen.

    Raises
    ------
    FileNotFoundError
        If there is no such folder.
    PermissionError
        If the hub refuses.
    ValueError
        If the folder is none of these, or damaged.
    """
    folder = Path(folder)
    if not _REPOSITORY.fullmatch(repository):
        raise UserError(f"repo: expected owner/name, got {repository!r}")
    record = _record_of(folder)
    beside = folder.parent / "results.jsonl"
    rows = Path(results) if results is not None else beside if record.kind == "artifact" and beside.is_file() else None
    written = folder / CARD
    card = with_front_matter(
        written.read_text(encoding="utf-8") if written.is_file() else "",
        record.kind,
        record.body,
        repository,
        license=license,
        language=language,
        datasets=datasets,
        base_model=base_model,
        rows=[] if rows is None else read_results(rows),
    )
    from huggingface_hub import CommitOperationAdd, HfApi

    api = HfApi(token=token)
    files = (*record.files, file_name(record.kind))
    operations = [CommitOperationAdd(name, str(folder / name)) for name in files]
    operations.append(CommitOperationAdd(CARD, card.encode()))
    with _refused(repository):
        api.create_repo(repository, private=private, exist_ok=True)
        if revision is not None and not create_pr:
            api.create_branch(repository, branch=revision, exist_ok=True)
        made = api.create_commit(
            repository,
            operations,
            commit_message=message or f"Add {record.kind} by projhead",
            revision=revision,
            create_pr=create_pr,
        )
    return str(made.pr_url or made.commit_url)


def _record_of(folder: Path) -> Record:
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder}: no such folder; expected an artifact, an export or an encoder")
    kind = next((kind for kind in _KINDS if holds(folder, kind)), None)
    if kind is None:
        raise UserError(f"{folder}: expected an artifact, an export or an encoder, got a folder without their record")
    return read_record(folder, kind, ())


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
            f"{repository}: no such path, and the hub does not give it: {_reason(error)}; check the name, the "
            "revision and the connection, or log in (hf auth login)"
        ) from None


@contextmanager
def _refused(repository: str) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        raise PermissionError(
            f"{repository}: the hub does not take it: {_reason(error)}; log in with a token that may write "
            "(hf auth login), or propose it with create_pr=true"
        ) from None


def _reason(error: Any) -> str:
    """Return the first line of what an error comes from, which never holds a token."""
    while error.__cause__ is not None:
        error = error.__cause__
    return (str(error).strip() or type(error).__name__).splitlines()[0]
