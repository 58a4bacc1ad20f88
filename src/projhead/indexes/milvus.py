"""Milvus: a file by milvus-lite, or a collection on a server."""

from __future__ import annotations

import json
import os
import shutil
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
from projhead.protocols import Rows
from projhead.vectors import Vectors

#: Rows sent at once, and the most neighbors that Milvus answers with.
_BATCH, _MOST = 1000, 16_384
_FILE, _RECORD = "milvus.db", "collection.json"


class MilvusIndex(BaseIndex):
    """A Milvus collection (Wang et al., "Milvus: a purpose-built vector data management system", 2021).

    Needs ``pip install 'projhead[milvus]'``. Without a `uri` milvus-lite keeps the rows in the index's own folder,
    of which it works on a copy, so that what is saved changes only by `save`. With one they are in a collection of
    that server: the folder then holds ids and the collection's name. Rows that an interrupted `add` left there are
    taken back by the next `load`. The server's own files are outside our checksums.

    The token comes from the environment variable ``MILVUS_TOKEN`` and is written nowhere.

    Parameters
    ----------
    uri : str, optional
        Of a Milvus server or Zilliz Cloud: ``"http://localhost:19530"``.
    index_type : str
        Milvus's name: ``"FLAT"``, ``"HNSW"``, ``"IVF_FLAT"``, ``"AUTOINDEX"``, ...
    build_params, search_params : dict, optional
        Milvus's settings of that kind, such as ``{"M": 16, "efConstruction": 200}`` and ``{"ef": 64}``.
    """

    def __init__(
        self,
        uri: str | None = None,
        index_type: str = "FLAT",
        build_params: dict[str, Any] | None = None,
        search_params: dict[str, Any] | None = None,
    ) -> None:
        if uri is not None and (urlsplit(uri).username or urlsplit(uri).password or "token" in urlsplit(uri).query):
            raise ValueError("uri: it would be written to disk with the index; put the token into MILVUS_TOKEN instead")
        self.uri, self.index_type = uri, index_type
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
            self._path = str(Path(tempfile.mkdtemp(prefix="projhead-")) / _FILE)
            weakref.finalize(self, _remove_copy, self._path)
            if folder is not None:
                shutil.copytree(folder / _FILE, self._path)
        self.client = self._client(self.uri or self._path)

    def _build(self, rows: Rows) -> None:
        from pymilvus import DataType

        self._connect()
        self.collection = f"projhead_{uuid.uuid4().hex[:12]}"
        schema = self.client.create_schema(auto_id=False, enable_dynamic_field=False)
        schema.add_field("place", DataType.INT64, is_primary=True)
        schema.add_field("embedding", DataType.FLOAT_VECTOR, dim=rows.dimension)
        params = self.client.prepare_index_params()
        params.add_index(
            "embedding", index_type=self.index_type, metric_type="IP", params=dict(self.build_params or {})
        )
        self.client.create_collection(self.collection, schema=schema, index_params=params)
        self._insert(rows, 0)

    def _insert(self, rows: Rows, place: int) -> None:
        for block in unit_blocks(rows):
            for start in range(0, len(block), _BATCH):
                part = block[start : start + _BATCH]
                batch = [{"place": place + number, "embedding": row} for number, row in enumerate(part)]
                self.client.insert(self.collection, batch)
                place += len(part)

    def _add(self, rows: Rows) -> None:
        self._insert(rows, self.ids.n_places)

    def _delete(self, places: Places) -> None:
        if self.uri is None:
            self._remove(places)  # of our copy; a server's rows go when the deletion is saved

    def _remove(self, places: Places) -> None:
        for start in range(0, len(places), _BATCH):
            self.client.delete(self.collection, ids=places[start : start + _BATCH].tolist())

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
        if filter_ids is not None:
            return f"place in {filter_ids.tolist()}"
        gone = self._gone().tolist() if self.uri else []
        return f"place not in {gone}" if gone else ""

    def _gone(self) -> Places:
        return np.flatnonzero(self.ids.array < 0)

    def _write(self, folder: Path) -> None:
        (folder / _RECORD).write_text(json.dumps({"collection": self.collection}), encoding="utf-8")
        if self.uri is None:
            self.client.close()
            _release(self._path)
            shutil.copytree(self._path, folder / _FILE, ignore=shutil.ignore_patterns("LOCK"))
            self.client = self._client(self._path)
            self.client.load_collection(self.collection)

    def _replaced(self, folder: Path) -> None:
        if self.uri is None:
            return
        self._remove(self._gone())
        record = folder / _RECORD
        old = json.loads(record.read_text(encoding="utf-8"))["collection"] if record.is_file() else self.collection
        if old != self.collection:
            self.client.drop_collection(old)

    def _read(self, folder: Path) -> None:
        self._connect(folder)
        self.collection = json.loads((folder / _RECORD).read_text(encoding="utf-8"))["collection"]
        self.client.load_collection(self.collection)
        if self.uri and self._count() != len(self.ids):  # an add or a deletion was cut off
            self.client.delete(self.collection, filter=f"place >= {self.ids.n_places}")
            self._remove(self._gone())
        if (found := self._count()) != len(self.ids):
            raise ValueError(
                f"{self.uri or folder}: expected {len(self.ids):,} rows in {self.collection}, found {found:,}; "
                "another program changed them: build the index again"
            )

    def _count(self) -> int:
        rows = self.client.query(self.collection, filter="", output_fields=["count(*)"], consistency_level="Strong")
        return int(rows[0]["count(*)"])

    def _nbytes(self) -> int:
        return self.footprint(self.ids.n_places, self.dimension).memory

    def footprint(self, n: int, dimension: int) -> Footprint:
        """Return what the rows themselves take: Milvus keeps its own account of what it adds."""
        size = n * (4 * dimension + 8)
        return Footprint(size, size)


def _release(path: str) -> None:
    """Stop what serves a file; it first writes what it holds in memory."""
    from milvus_lite.server_manager import server_manager_instance

    server_manager_instance.release_server(path)


def _remove_copy(path: str) -> None:
    _release(path)
    shutil.rmtree(Path(path).parent, ignore_errors=True)
