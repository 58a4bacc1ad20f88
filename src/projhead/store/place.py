"""Where a store is written: a folder."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from projhead.persistence.files import locked
from projhead.store.manifest import Manifest, Shard
from projhead.store.shard import read_shard


class Place:
    """A folder that one process writes while others wait.

    Attributes
    ----------
    folder : Path
        Where manifest and codec are read and written.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __str__(self) -> str:
        return str(self.folder)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep others from writing."""
        with locked(self.folder):
            yield

    def names(self) -> list[str]:
        """Return the names of what is there."""
        return [one.name for one in self.folder.iterdir()]

    def check(self, shard: Shard, manifest: Manifest) -> None:
        """Refuse a shard that is missing or damaged; of a finished store the sizes tell."""
        read_shard(self.folder, shard, manifest, verify=not manifest.complete)

    def ids(self, shard: Shard, manifest: Manifest) -> list[str]:
        """Return the ids of a shard."""
        return list(read_shard(self.folder, shard, manifest, verify=False)["id"].to_pylist())

    def begin(self, manifest: Manifest) -> None:
        """Write down what is there, now that it is known to be what is wanted."""
        manifest.fold(self.folder)

    @contextmanager
    def desk(self) -> Iterator[Path]:
        """Yield the folder that a worker writes a shard's file to."""
        yield self.folder

    def put(self, shard: Shard, desk: Path) -> Shard:
        """Put a shard that lies on a desk into the store; return what is then there."""
        return shard

    def add(self, shard: Shard, manifest: Manifest) -> None:
        """Note that a shard is there."""
        manifest.add(self.folder, shard)

    def end(self, manifest: Manifest) -> None:
        """Write the manifest of a store that is complete; all else is in `folder`."""
        manifest.write(self.folder)
