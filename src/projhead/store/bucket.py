"""Where a store is written: object storage.

Nothing locks a bucket, but an object is put whole, and only where none is. So the first manifest, of no shards, says
whose the store is; a mark says, before a shard is put, which documents it holds and what its digest is. Whoever finds
another's manifest or mark compares it with its own. At the end the whole manifest takes the first one's place, and the
marks go.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from itertools import count
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import Any

from projhead.corpora.remote import reached, system_of
from projhead.persistence.files import sha256_of
from projhead.persistence.record import file_name
from projhead.store.manifest import FOLDER, JOURNAL, Manifest, Shard
from projhead.store.place import Place
from projhead.store.shard import read_shard
from projhead.store.store import EmbeddingStore

#: Where marks lie until the store is complete.
MARKS = "marks"
_MANIFEST = file_name("store")


class Bucket(Place):
    """A URL that any number of processes write, of which each puts its own shards.

    Attributes
    ----------
    url : str
    folder : Path
        A temporary one, with the small files; none outside `held`.
    sizes : dict of str to int
        Bytes of each object that was there when it began.
    """

    def __init__(self, url: str) -> None:
        self.url, self.sizes = url.rstrip("/"), dict[str, int]()

    def __str__(self) -> str:
        return self.url

    @contextmanager
    def held(self) -> Iterator[None]:
        """Bring manifest, marks and codec here; nothing keeps others from writing."""
        with TemporaryDirectory(prefix="projhead-") as folder:
            self.folder = Path(folder)
            self.sizes = self._listed()
            for name in self.sizes:
                if name == _MANIFEST or name.startswith(f"{FOLDER}/"):
                    (self.folder / name).parent.mkdir(exist_ok=True)
                    self._get(name, self.folder / name)
            self._read_marks()
            yield

    def names(self) -> list[str]:
        """Return the names of what is there."""
        return sorted({PurePosixPath(name).parts[0] for name in self.sizes})

    def check(self, shard: Shard, manifest: Manifest) -> None:
        """Refuse a shard that is not there, or of another size; digests are compared when the store is read."""
        if (size := self.sizes.get(shard.file, 0)) != shard.bytes:
            raise ValueError(
                f"{self.url}/{shard.file}: expected {shard.bytes:,} bytes, got {size:,}; delete the store {self.url} "
                "and encode again"
            )

    def ids(self, shard: Shard, manifest: Manifest) -> list[str]:
        """Return the ids of a shard, which is copied here for it."""
        with self.desk() as desk:
            self._get(shard.file, desk / shard.file)
            return list(read_shard(desk, shard, manifest, verify=True)["id"].to_pylist())

    def begin(self, manifest: Manifest) -> None:
        """Put the first manifest, and the codec, where no shard is there yet."""
        if manifest.complete:
            self._sweep()
        elif not manifest.shards:
            manifest.write(self.folder)
            for name in (_MANIFEST, *(f"{FOLDER}/{one.name}" for one in sorted(self.folder.glob(f"{FOLDER}/*")))):
                said = (self.folder / name).read_bytes()
                if not self._create(name, self.folder / name) and self._bytes(name) != said:
                    raise ValueError(
                        f"{self.url} was begun by another process just now: run the same command again, which goes on "
                        "with it or says what is different, or choose another path"
                    )

    @contextmanager
    def desk(self) -> Iterator[Path]:
        """Yield a temporary folder."""
        with TemporaryDirectory(prefix="projhead-") as desk:
            yield Path(desk)

    def put(self, shard: Shard, desk: Path) -> Shard:
        """Mark and put a shard; one that another process has put stays, if it is of the same documents.

        Raises
        ------
        ValueError
            If it is of others, or not what its mark says.
        """
        mark = f"{MARKS}/{Path(shard.file).stem}.json"
        said = desk / "mark"
        said.write_text(json.dumps(asdict(shard)), encoding="utf-8")
        first = shard if self._create(mark, said) else Shard(**json.loads(self._bytes(mark)))
        if first.documents != shard.documents:
            raise ValueError(
                f"{self.url}/{shard.file} was made from other ids or texts than the corpus has: choose another path"
            )
        if not self._create(shard.file, desk / shard.file):
            self._get(shard.file, desk / "there")
            there = sha256_of(desk / "there")
            if there == first.sha256:
                return first
            if there != shard.sha256:
                if first == shard:  # it would tell of what is not there
                    self._delete([mark])
                raise ValueError(
                    f"{self.url}/{shard.file} was put by another process, of another kind of machine or with other "
                    "files: run the same command again, and if it says so again, delete that object"
                )
        if first != shard:  # whoever made the mark was ended before its shard came
            self._replace(mark, said)
        return shard

    def add(self, shard: Shard, manifest: Manifest) -> None:
        """Note that a shard is there, as its mark says."""
        manifest.shards.append(shard)

    def end(self, manifest: Manifest) -> None:
        """Put all but the shards, the manifest last; delete the marks."""
        manifest.write(self.folder)
        for name in sorted((one.name for one in self.folder.glob("*.json")), key=_MANIFEST.__eq__):
            self._replace(name, self.folder / name)
        self._sweep()

    def _read_marks(self) -> None:
        """Write down what is marked and there behind the manifest's shards, up to the first that is not."""
        if _MANIFEST not in self.sizes:
            return
        try:
            whole = len(Manifest.read(self.folder).shards)
        except ValueError as error:
            raise ValueError(f"{self.url}: {error}") from error
        if not (names := [name for name in self.sizes if name.startswith(f"{MARKS}/")]):
            return
        system, root = system_of(self.url)
        with reached(self.url):
            said = system.cat([f"{root}/{name}" for name in names])
        shards = {one["file"]: one for one in map(json.loads, said.values())}
        with (self.folder / JOURNAL).open("w", encoding="utf-8") as journal:
            for number in count(whole):
                shard = shards.get(f"data-{number:05d}.arrow")
                if shard is None or self.sizes.get(shard["file"]) != shard["bytes"]:
                    return
                journal.write(json.dumps(shard) + "\n")

    def _sweep(self) -> None:
        """Delete the marks, and what a folder notes shards in, which may have been copied here."""
        self._delete([name for name in self._listed() if name == JOURNAL or name.startswith(f"{MARKS}/")])

    def _listed(self) -> dict[str, int]:
        """Return the bytes of each object, by its name."""
        system, root = system_of(self.url)
        with reached(self.url):
            system.invalidate_cache()
            found = system.find(root, detail=True)
        return {path.removeprefix(f"{root}/"): int(one["size"]) for path, one in found.items()}

    def _bytes(self, name: str) -> bytes:
        system, root = system_of(self.url)
        with reached(f"{self.url}/{name}"):
            return bytes(system.cat_file(f"{root}/{name}"))

    def _get(self, name: str, here: Path) -> None:
        system, root = system_of(self.url)
        with reached(f"{self.url}/{name}"):
            system.get_file(f"{root}/{name}", str(here))

    def _create(self, name: str, here: Path) -> bool:
        """Put an object where there is none; say whether there was none."""
        try:
            self._replace(name, here, mode="create")
        except FileExistsError:
            return False
        return True

    def _replace(self, name: str, here: Path, mode: str = "overwrite") -> None:
        system, root = system_of(self.url)
        with reached(f"{self.url}/{name}", "written"):
            system.put_file(str(here), f"{root}/{name}", mode=mode)

    def _delete(self, names: Sequence[str]) -> None:
        system, root = system_of(self.url)
        with reached(self.url, "written"):
            if names:
                system.rm([f"{root}/{name}" for name in names])


class Unread(EmbeddingStore):
    """A finished store at a URL, copied into the user's cache when its rows are first asked for."""

    def __init__(self, url: str, manifest: Manifest) -> None:
        self.url, self.manifest = url, manifest

    def __getattr__(self, name: str) -> Any:
        if name not in ("folder", "table", "codec"):
            raise AttributeError(name)
        here = EmbeddingStore.open(str(self.url))
        self.folder, self.table, self.codec = here.folder, here.table, here.codec
        return getattr(self, name)
