"""Milvus reads rows by itself: Parquet files put where the server looks, and imported one after another."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from projhead.console.quiet import quiet
from projhead.corpora.remote import reached, system_of
from projhead.errors import UserError
from projhead.persistence.files import is_url
from projhead.store.arrow import ROWS

#: Bytes of rows in a file: about what a segment of Milvus holds.
_FILE = 2**28
#: Seconds between two questions how far an import is.
_LOOK = 0.5
_DONE, _FAILED = "Completed", ("Failed", "Failed and cleaned")


class Imports:
    """The files of a load that a server imports, what pymilvus's ``bulk_writer`` makes of one dict after another.

    An import is there whole or not at all. A file has its collection's name and the number of its first row, is in
    the folder only while it is imported, and is written over or removed by the next load if this one is killed.

    Parameters
    ----------
    files : str
        Where the server reads: a folder of the bucket in its settings (``s3://a-bucket/bulk``, by fsspec's settings
        and the environment's credentials), or an absolute folder of a server that stores on its own disk.
    collection : str
    uri, token : str
        Of the server.
    """

    def __init__(self, files: str, collection: str, uri: str, token: str) -> None:
        self.files, self.collection = files.rstrip("/"), collection
        self._system, self._folder = system_of(self.files)
        self._bucket = is_url(files)
        self._writer: pq.ParquetWriter | None = None
        self._alias = f"projhead-{uuid.uuid4().hex}"
        with _spoken() as (_, connections):
            connections.connect(alias=self._alias, uri=uri, token=token)

    def begin(self) -> None:
        """Wait for imports that an interrupted load left with the server, and remove its files."""
        for task in self._ask("list_bulk_insert_tasks", 0, self.collection):
            if task.state_name not in (_DONE, *_FAILED):
                with suppress(UserError):  # what failed is written again
                    self._wait(task.task_id)
        with reached(self.files, "written"):
            self._system.makedirs(self._folder, exist_ok=True)
            for left in self._system.glob(self._path("*")):
                self._system.rm_file(left)

    def write(self, batch: pa.RecordBatch, first: int) -> None:
        """Write rows into a file that began with them or before them; import it when it is full."""
        kinds = [pa.list_(pa.float32()) if name == ROWS else pa.string() for name in batch.schema.names]
        plain = batch.cast(pa.schema(zip(batch.schema.names, kinds, strict=True)))  # as Milvus's reader knows them
        with reached(self.files, "written"):
            if self._writer is None:
                self._open, self._bytes = self._path(first), 0
                self._sink = self._system.open(self._open, "wb")
                self._writer = pq.ParquetWriter(self._sink, plain.schema)
            self._writer.write_batch(plain)
        self._bytes += plain.nbytes
        if self._bytes >= _FILE:
            self.flush()

    def flush(self) -> None:
        """Let the server import the file that is being written, and wait for it.

        Raises
        ------
        UserError
            If the server cannot.
        """
        if not self._written():
            return
        there = self._open.partition("/")[2] if self._bucket else self._open  # a server knows its own bucket
        refused = None
        try:
            self._wait(self._ask("do_bulk_insert", self.collection, [there]))
        except UserError as error:
            refused = error
        with reached(self.files, "written"):  # not where we are interrupted: the server still reads it
            self._system.rm_file(self._open)
        if refused:
            raise refused

    def close(self) -> None:
        """Let go of the connection, and of a file that nothing imported."""
        if self._written():
            self._system.rm_file(self._open)
        with _spoken() as (_, connections):
            connections.disconnect(self._alias)

    def _written(self) -> bool:
        """End the file that is being written; say whether there is one."""
        if self._writer is None:
            return False
        with reached(self.files, "written"):
            self._writer.close()
            self._sink.close()
        self._writer = None
        return True

    def _path(self, first: object) -> str:
        return f"{self._folder}/projhead-{self.collection}-{first}.parquet"

    def _wait(self, task: int) -> None:
        while (state := self._ask("get_bulk_insert_state", task)).state_name != _DONE:
            if state.state_name in _FAILED:
                raise self._refused(state.failed_reason)
            time.sleep(_LOOK)

    def _ask(self, name: str, *arguments: Any) -> Any:
        from pymilvus import MilvusException

        with _spoken() as (utility, _):
            try:
                return getattr(utility, name)(*arguments, using=self._alias)
            except MilvusException as error:
                raise self._refused(error.message) from None

    def _refused(self, reason: str) -> UserError:
        return UserError(
            f"files={self.files}: Milvus could not import from there: {reason.strip():.300}; name the bucket or the "
            "folder of its own settings, or leave files out to send the rows"
        )


@contextmanager
def _spoken() -> Iterator[tuple[Any, Any]]:
    """Give what asks for imports, of pymilvus's older half: MilvusClient has no word for them yet."""
    with quiet("pymilvus", ignore=["PyMilvus"]):
        from pymilvus import connections, utility

        yield utility, connections
