"""Name temporary files by their process, and remove those of killed ones."""

from __future__ import annotations

import os
import re
import shutil
import socket
from pathlib import Path

#: What ends the name of something unfinished, and of something that is being replaced.
UNFINISHED, RETIRED = "tmp", "old"
_HOST = re.sub(r"[^\w-]", "-", socket.gethostname())
_swept: set[Path] = set()


def temporary_of(path: Path, ending: str = UNFINISHED) -> Path:
    """Return a hidden name beside `path` for this process alone."""
    return path.with_name(f".{path.name}.{_HOST}-{os.getpid()}.{ending}")


def leftover(names: str) -> str:
    """Return the pattern of temporary names of files whose own names match a pattern, whoever gave them."""
    return rf"\.(?P<name>{names})\.((?P<host>[\w-]+)-)?(?P<pid>\d+)\.(?P<ending>{UNFINISHED}|{RETIRED})"


def sweep(folder: Path) -> None:
    """Remove what dead processes left in a folder, once for each process that writes there.

    A retired folder whose successor never came takes its place again.
    """
    if folder in _swept:
        return
    _swept.add(folder)
    clear(folder)


def clear(folder: Path) -> None:
    """Remove the leftovers of dead processes of this host from a folder."""
    for path in folder.iterdir():
        found = re.fullmatch(_LEFTOVER, path.name)
        if found and not _lives(found["host"], int(found["pid"])):
            if found["ending"] == RETIRED and not path.with_name(found["name"]).exists():
                os.replace(path, path.with_name(found["name"]))
            else:
                remove(path)


def recover(path: Path) -> None:
    """Give a folder its name back after a process was killed between the two renames of a replacement."""
    if not path.exists() and path.parent.is_dir() and any(path.parent.glob(f".{_plain(path.name)}.*.{RETIRED}")):
        _swept.discard(path.parent)
        sweep(path.parent)


def names_in(folder: Path) -> list[str]:
    """Return the sorted names in a folder, without leftovers of killed processes."""
    return sorted(one.name for one in folder.iterdir() if not re.fullmatch(_LEFTOVER, one.name))


def remove(path: Path) -> None:
    """Remove a file or a folder, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


_LEFTOVER = leftover(".+")


def _plain(name: str) -> str:
    """Return a pattern of `glob` for a name that may hold its special characters."""
    return re.sub(r"([*?[])", r"[\1]", name)


def _lives(host: str | None, pid: int) -> bool:
    """Say whether a process may still live: one of another host may, a name without one is an older version's."""
    if host is not None and host != _HOST:
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return pid != os.getpid() or host is not None
