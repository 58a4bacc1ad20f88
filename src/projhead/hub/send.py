"""Send a folder to the model hub: the files its record names, and the card."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from projhead.errors import UserError
from projhead.hub.card import with_front_matter
from projhead.hub.fetch import REPOSITORY, reason
from projhead.persistence.record import CARD, Record, file_name, holds, read_record
from projhead.report.results import read_results

#: What may be pushed.
_KINDS = ("artifact", "export", "encoder")


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
    if not REPOSITORY.fullmatch(repository):
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
def _refused(repository: str) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        raise PermissionError(
            f"{repository}: the hub does not take it: {reason(error)}; log in with a token that may write "
            "(hf auth login), or propose it with create_pr=true"
        ) from None
