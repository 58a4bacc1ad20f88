"""Tell what the user can mend from what is our fault."""

from __future__ import annotations

import errno
import linecache
import os
from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path

from projhead.console.printable import printable

_PACKAGE = Path(__file__).resolve().parent

_REMEDIES = {
    errno.ENOSPC: "free some space, or write to another disk",
    errno.EFBIG: "raise the limit on the size of files (ulimit -f), or write to another disk",
    errno.EDQUOT: "free some space, or write to another disk",
    errno.EROFS: "write somewhere else (run_dir=..., out=...)",
    errno.EACCES: "change its permissions, or name another path",
    errno.EPERM: "change its permissions, or name another path",
}
#: What the system says of a disk, or a file, that takes no more.
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class UserError(ValueError):
    """A check refused what the user gave: the message says what was got, what was expected and what to do."""


def nearest(word: str, known: Iterable[str], likeness: float = 0.6) -> str:
    """Return ``; did you mean ...?`` where a known word is so like it, else nothing."""
    found = get_close_matches(word, list(known), n=1, cutoff=likeness)
    return f"; did you mean {found[0]}?" if found else ""


def mendable(error: BaseException) -> str | None:
    """Return the one line that tells the user what to mend; None where the fault is ours.

    The user can mend what one of our own ``raise`` statements refuses, what the operating system refuses, a package
    that is missing and memory that does not suffice. A ValueError out of a library's depths is a case that we
    forgot to check.
    """
    if isinstance(error, MemoryError):
        return f"out of memory ({_one_line(error) or 'no more said'}): ask for less at once"
    if isinstance(error, OSError) and not _raised_here(error):
        return _refused_by_the_system(error)
    if isinstance(error, (UserError, OSError, ImportError)):
        return _one_line(error)
    if isinstance(error, (ValueError, TypeError, NotImplementedError)) and _raised_here(error):
        return _one_line(error)
    # Libraries tell of a full disk by errors of their own.
    full = next((number for number in _FULL if os.strerror(number) in str(error)), None)
    return f"{_one_line(error)}; {_REMEDIES[full]}" if full else None


def _refused_by_the_system(error: OSError) -> str:
    if error.strerror is None:
        return _one_line(error)
    where = f"{error.filename}: " if error.filename is not None else ""
    remedy = f"; {_REMEDIES[error.errno]}" if error.errno in _REMEDIES else ""
    return f"{where}{error.strerror[:1].lower()}{error.strerror[1:]}{remedy}"


def _raised_here(error: BaseException) -> bool:
    """Say whether a ``raise`` statement of this package raised the error."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return False
    file = trace.tb_frame.f_code.co_filename
    return Path(file).is_relative_to(_PACKAGE) and linecache.getline(file, trace.tb_lineno).lstrip().startswith("raise")


def _one_line(error: BaseException) -> str:
    return printable(str(error))
