"""Refuse to write into folders that are not ours."""

from __future__ import annotations

from pathlib import Path

from projhead.persistence.leftovers import names_in


def expect_ours(folder: Path, what: str, *, ours: bool, overwrite: bool | None = None) -> None:
    """Refuse to write into a folder that holds something else.

    Parameters
    ----------
    folder : Path
    what : str
        What is to be written: ``"a report"``.
    ours : bool
        Whether something in the folder says that it is such.
    overwrite : bool, optional
        The user's word that it may be written over; None where there is no such setting.

    Raises
    ------
    FileExistsError
        If it is a file, or holds something and is neither ours nor to be overwritten.
    """
    if folder.exists() and not folder.is_dir():
        raise FileExistsError(f"{folder} is a file, expected a folder for {what}: choose another path")
    first = next(iter(names_in(folder)), None) if folder.is_dir() else None
    if first is not None and not ours and not overwrite:
        word = "" if overwrite is None else ", or write over it with overwrite=true"
        raise FileExistsError(f"{folder} is not empty ({first}), and not {what}: choose another path{word}")
