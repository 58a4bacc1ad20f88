"""Object storage that outlives the processes that write it: objects are put whole, and where none is if so asked."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import fsspec
from fsspec.implementations.local import LocalFileSystem

#: What a URL of it begins with; the path of a folder follows.
SCHEME = "objects"


class Objects(LocalFileSystem):
    """Files of a folder as objects: a kill leaves none of them half put."""

    protocol = SCHEME

    @classmethod
    def _strip_protocol(cls, path: Any) -> Any:
        return LocalFileSystem._strip_protocol(str(path).removeprefix(f"{SCHEME}://"))

    def unstrip_protocol(self, name: str) -> str:
        """Return the URL of a path."""
        return f"{SCHEME}://{self._strip_protocol(name)}"

    def put_file(self, lpath: str, rpath: str, callback: Any = None, mode: str = "overwrite", **options: Any) -> None:
        """Put a file, in one step; with mode ``"create"`` where no object is."""
        place = Path(self._strip_protocol(rpath))
        place.parent.mkdir(parents=True, exist_ok=True)
        here = Path(lpath).parent
        whole = (here if here.stat().st_dev == place.parent.stat().st_dev else place.parent) / f"{place.name}.put"
        try:
            shutil.copyfile(lpath, whole)
            (os.link if mode == "create" else os.replace)(whole, place)
        finally:
            whole.unlink(missing_ok=True)


fsspec.register_implementation(SCHEME, Objects, clobber=True)
