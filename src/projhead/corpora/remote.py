"""Files of object storage and of servers, by the URLs that pandas and datasets take too."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import PurePosixPath
from typing import Any, BinaryIO, TextIO, cast

import fsspec


class RemoteFile:
    """One file of a file system of fsspec, opened as a `pathlib.Path` is.

    Attributes
    ----------
    suffix : str
        The ending of its name.
    """

    def __init__(self, system: Any, path: str) -> None:
        self.system, self.path, self.suffix = system, path, PurePosixPath(path).suffix

    def __str__(self) -> str:
        return str(self.system.unstrip_protocol(self.path))

    def open(self, *, encoding: str, errors: str, newline: str) -> TextIO:
        """Open it as text."""
        return cast("TextIO", self.system.open(self.path, "r", encoding=encoding, errors=errors, newline=newline))

    def open_bytes(self) -> BinaryIO:
        """Open it as bytes."""
        return cast("BinaryIO", self.system.open(self.path, "rb"))


def remote_files(url: str, endings: Collection[str]) -> list[RemoteFile]:
    """Return the file that a URL names, those of a glob, or those of a folder with one of the endings, sorted.

    Raises
    ------
    ModuleNotFoundError
        If what talks to such a server is not installed.
    OSError
        If it does not answer.
    """
    system, path = system_of(url)
    with reached(url):
        if system.isdir(path):
            below = [one["name"] for one in system.ls(path, detail=True) if one["type"] == "file"]
            found = [one for one in below if PurePosixPath(one).suffix in endings]
        else:
            found = [path] if system.isfile(path) else system.glob(path)
    return [RemoteFile(system, one) for one in sorted(found)]


def system_of(url: str) -> tuple[Any, str]:
    """Return the file system of fsspec that a URL names, and the path in it.

    Raises
    ------
    ModuleNotFoundError, OSError, ValueError
        If what talks to such a server is not installed, it does not answer, or there is no such scheme.
    """
    with reached(url):
        try:
            system, path = fsspec.url_to_fs(url)
        except ImportError as error:  # its message names the package
            raise ModuleNotFoundError(f"{url}: {error}") from error
        except ValueError as error:  # and this one the scheme
            raise ValueError(f"{url}: {error}; expected a path, or a URL such as s3://bucket/texts.parquet") from error
    return system, str(path).rstrip("/")


@contextmanager
def reached(url: str, done: str = "read") -> Iterator[None]:
    """Turn whatever a server's client raises into an error of one line; that something is there already stays one."""
    try:
        yield
    except (ImportError, ValueError, FileExistsError):
        raise
    except Exception as error:  # every kind of storage has its own
        said = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise OSError(f"{url} cannot be {done}: {said}; check the address, the rights and the connection") from error
