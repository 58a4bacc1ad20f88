"""Milvus: a file by milvus-lite, or a collection on a server."""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
import tempfile
import uuid
import weakref
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from projhead.data import Footprint
from projhead.indexes.base import BaseIndex
from projhead.indexes.ids import Places
from projhead.indexes.rows import unit_blocks
from projhead.persistence.leftovers import sweep, temporary_of
from projhead.protocols import Rows
from projhead.vectors import Vectors

#: Rows sent at once, and the most neighbors that Milvus answers with.
_BATCH, _MOST = 1000, 16_384
_FILE, _RECORD = "milvus.db", "collection.json"
#: Names that we give: a record, which may be a stranger's, can name no other collection to us.
_OURS, _MARK = r"projhead_[0-9a-f]{12}", r"[0-9a-f]{32}"


class MilvusIndex(BaseIndex):
    """A Milvus collection (Wang et al., "Milvus: a purpose-built vector data management system", 2021).

    Needs ``pip install 'projhead[milvus]'``. Without a `uri` milvus-lite keeps the rows in the index's own folder,
    of which it works on a copy, so that what is saved changes only by `save`. With one they are in a collection of
    that server: the folder then holds ids and the collection's name. The server's own files are outside our checksums.

    Every row there carries the mark of the `build` or `add` that it came with, and a search sees the marks that its
    record names: `load` and `search` write nothing, a copy of the folder sees its own rows, and what another process
    adds is not seen before it is saved. `save` deletes what an interrupted `add` left.

    An index on a server is loaded from the host that you name, by `uri` or the environment variable ``MILVUS_URI``,
    never from one that its files name. The token comes from ``MILVUS_TOKEN``, goes there only, and is written nowhere.

    Parameters
    ----------
    uri : str, optional
        Of a Milvus server or Zilliz Cloud: ``"http://localhost:19530"``.
    index_type : str
        Milvus's name: ``"FLAT"``, ``"HNSW"``, ``"IVF_FLAT"``, ``"AUTOINDEX"``, ...
    build_params, search_params : dict, optional
        Milvus's settings of that kind, such as ``{"M": 16, "efConstruction": 200}`` and ``{"ef": 64}``.
    """

    unrecorded = ("uri",)

    def __init__(
        self,
        uri: str | None = None,
        index_type: str = "FLAT",
        build_params: dict[str, Any] | None = None,
        search_params: dict[str, Any] | None = None,
    ) -> None:
        self.uri = None if uri is None else _server(uri)
        self.index_type = index_type
        self.build_params, self.search_params = build_params, search_params

    def _client(self, address: str) -> Any:
        try:
            from pymilvus import MilvusClient, MilvusException
        except ImportError as error:
            raise ImportError("index=milvus needs pymilvus: pip install 'projhead[milvus]'") from error
        token = os.environ.get("MILVUS_TOKEN", "") if self.uri else ""
        try:
            return MilvusClient(address, token=token)
        except MilvusException as error:
            raise ConnectionError(
                f"expected a Milvus server at {address}, got: {error.message}; start it, or check uri and MILVUS_TOKEN "
                f"(which is {'set' if token else 'not set'})"
            ) from None

    def _connect(self, folder: Path | None = None) -> None:
        """Open the server, or a folder of our own: empty, or a copy of what was saved in `folder`."""
        if self.uri is None:
            self._path = str(folder_for_copies() / _FILE)
            weakref.finalize(self, _remove_copy, self._path)
            if folder is not None:
                shutil.copytree(folder / _FILE, self._path)
        self.client = self._client(self.uri or self._path)

    def _build(self, rows: Rows) -> None:
        from pymilvus import DataType

        self._connect()
        self.collection = f"projhead_{uuid.uuid4().hex[:12]}"
        self._marks: list[str] = []
        self._saved: set[str] = set()
        schema = self.client.create_schema(auto_id=True, enable_dynamic_field=False)
        schema.add_field("number", DataType.INT64, is_primary=True, auto_id=True)
        schema.add_field("mark", DataType.VARCHAR, max_length=32)
        schema.add_field("place", DataType.INT64)
        schema.add_field("embedding", DataType.FLOAT_VECTOR, dim=rows.dimension)
        params = self.client.prepare_index_params()
        params.add_index(
            "embedding", index_type=self.index_type, metric_type="IP", params=dict(self.build_params or {})
        )
        self.client.create_collection(self.collection, schema=schema, index_params=params)
        self._insert(rows, 0)

    def _insert(self, rows: Rows, place: int) -> None:
        mark = uuid.uuid4().hex
        for block in unit_blocks(rows):
            for start in range(0, len(block), _BATCH):
                part = block[start : start + _BATCH]
                batch = [{"mark": mark, "place": place + number, "embedding": row} for number, row in enumerate(part)]
                self.client.insert(self.collection, batch)
                place += len(part)
        self._marks.append(mark)

    def _add(self, rows: Rows) -> None:
        self._insert(rows, self.ids.n_places)

    def _delete(self, places: Places) -> None:
        if self.uri is None:
            self._remove(places)  # of our copy; a server's rows go when the deletion is saved

    def _remove(self, places: Places) -> None:
        for start in range(0, len(places), _BATCH):
            some = places[start : start + _BATCH].tolist()
            self.client.delete(self.collection, filter=f"{self._ours()} and place in {some}")

    def _ours(self) -> str:
        return f"mark in {json.dumps(self._marks)} and place >= 0"

    def _search(self, queries: Vectors, top_k: int, filter_ids: Places | None) -> tuple[Vectors, Places]:
        if top_k > _MOST:
            raise ValueError(f"top_k: Milvus answers with at most {_MOST:,} neighbors, got {top_k:,}")
        answers = self.client.search(
            self.collection,
            data=list(queries),
            limit=top_k,
            filter=self._filter(filter_ids),
            output_fields=["place"],
            search_params={"metric_type": "IP", "params": dict(self.search_params or {})},
            consistency_level="Strong",
        )
        scores = np.full((len(queries), top_k), -np.inf, np.float32)
        places = np.full((len(queries), top_k), -1, np.int64)
        for row, answer in enumerate(answers):
            scores[row, : len(answer)] = [hit["distance"] for hit in answer]
            places[row, : len(answer)] = [hit["place"] for hit in answer]
        return scores, places

    def _filter(self, filter_ids: Places | None) -> str:
        gone = self._gone().tolist()
        if filter_ids is not None:
            return f"{self._ours()} and place in {filter_ids.tolist()}"
        return f"{self._ours()} and place not in {gone}" if gone else self._ours()

    def _gone(self) -> Places:
        return np.flatnonzero(self.ids.array < 0)

    def _write(self, folder: Path) -> None:
        if self.uri is None:
            self.client.close()
            _release(self._path)
            shutil.copytree(self._path, folder / _FILE, ignore=shutil.ignore_patterns("LOCK"))
            self.client = self._client(self._path)
            self.client.load_collection(self.collection)
        else:
            self._keep()
        record = {"collection": self.collection, "marks": self._marks, "server": self.uri is not None}
        (folder / _RECORD).write_text(json.dumps(record), encoding="utf-8")

    def _keep(self) -> None:
        """Tell the server which marks are saved, by a row without a place, so that no `save` takes them for left over.

        Raises
        ------
        ValueError
            If another process took rows away meanwhile.
        """
        zeros = [0.0] * self.dimension
        new = [{"mark": mark, "place": -1, "embedding": zeros} for mark in self._marks if mark not in self._saved]
        if new:
            self.client.insert(self.collection, new)
        self._saved.update(self._marks)
        self._check_count("load the index and do it again")

    def _replaced(self, folder: Path) -> None:
        if self.uri is None:
            return
        old = _record(folder)["collection"] if (folder / _RECORD).is_file() else self.collection
        if old != self.collection:
            self.client.drop_collection(old)
            return
        self._remove(self._gone())
        kept = self._query("place == -1", "mark")
        self.client.delete(self.collection, filter=f"mark not in {json.dumps([row['mark'] for row in kept])}")

    def _read(self, folder: Path) -> None:
        record = _record(folder)
        self.collection, self._marks, self._saved = record["collection"], record["marks"], set(record["marks"])
        self.uri = self._named(folder) if record["server"] else None
        self._connect(folder)
        if not self.client.has_collection(self.collection):
            raise ValueError(f"{self.uri or folder}: expected the collection {self.collection}, got none of that name")
        self.client.load_collection(self.collection)
        self._check_count("build the index again")

    def _named(self, folder: Path) -> str:
        """Return the host that the user names: a record, which may be a stranger's, is not asked."""
        named = self.uri or os.environ.get("MILVUS_URI")
        if not named:
            raise ValueError(f"{folder} is of a Milvus server: name it, as in MILVUS_URI=http://localhost:19530")
        return _server(named)

    def _check_count(self, do: str) -> None:
        if (found := self._count()) != len(self.ids):
            raise ValueError(
                f"{self.uri or 'milvus'}: expected {len(self.ids):,} rows in {self.collection}, found {found:,}; "
                f"another program changed them: {do}"
            )

    def _count(self) -> int:
        return int(self._query(self._filter(None), "count(*)")[0]["count(*)"])

    def _query(self, condition: str, field: str) -> Any:
        return self.client.query(self.collection, filter=condition, output_fields=[field], consistency_level="Strong")

    def _nbytes(self) -> int:
        return self.footprint(self.ids.n_places, self.dimension).memory

    def footprint(self, n: int, dimension: int) -> Footprint:
        """Return the bytes of the rows alone; Milvus adds more."""
        size = n * (4 * dimension + 8)
        return Footprint(size, size)


def _server(uri: str) -> str:
    """Return a server's address; refuse one that is malformed or holds a token."""
    parts = urlsplit(uri)
    if parts.username or parts.password or "token" in parts.query:
        raise ValueError("uri: it would be printed and logged; put the token into MILVUS_TOKEN instead")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(
            f"uri: expected a server such as http://localhost:19530, got {uri!r:.100}; "
            "leave it out to keep the rows in the index's own folder"
        )
    return uri


def _record(folder: Path) -> dict[str, Any]:
    record: dict[str, Any] = json.loads((folder / _RECORD).read_text(encoding="utf-8"))
    if "marks" not in record:
        raise ValueError(f"{folder} was written by an older projhead, whose rows have no marks: build the index again")
    if not re.fullmatch(_OURS, record["collection"]) or not all(re.fullmatch(_MARK, one) for one in record["marks"]):
        raise ValueError(f"{folder}: expected a collection such as projhead_0123456789ab, got {record!r:.200}: refused")
    return record


def folder_for_copies() -> Path:
    """Return a new folder among the user's temporary files, and remove those that killed processes left there."""
    shared = Path(tempfile.gettempdir()) / f"projhead-{os.getuid()}"
    shared.mkdir(mode=0o700, exist_ok=True)
    status = shared.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid():  # another user took the name
        return Path(tempfile.mkdtemp(prefix="projhead-"))
    sweep(shared)
    made = temporary_of(shared / uuid.uuid4().hex)
    made.mkdir()
    return made


def _release(path: str) -> None:
    """Stop the server of a file, which first writes its memory."""
    from milvus_lite.server_manager import server_manager_instance

    server_manager_instance.release_server(path)


def _remove_copy(path: str) -> None:
    _release(path)
    shutil.rmtree(Path(path).parent, ignore_errors=True)
