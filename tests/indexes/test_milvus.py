"""Milvus as a server: milvus-lite's own over the network, or a real one (``scripts/search_speed/milvus_server.py``)."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from projhead.indexes.base import load_index
from projhead.indexes.milvus import MilvusIndex, folder_for_copies
from projhead.persistence import registry
from projhead.vectors import Vectors

pytest.importorskip("pymilvus")
server = pytest.importorskip("milvus_lite.adapter.grpc.server")


@pytest.fixture(autouse=True)
def named(uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The user's own word for the server, which loading asks for."""
    monkeypatch.setenv("MILVUS_URI", uri)


@pytest.fixture(scope="module")
def uri(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    if own := os.environ.get("PROJHEAD_MILVUS_SERVER"):
        yield f"http://{own}"
        return
    running, database, port = server.start_server_in_thread(
        data_dir=str(tmp_path_factory.mktemp("milvus")), host="127.0.0.1", port=0
    )
    yield f"http://127.0.0.1:{port}"
    running.stop(grace=0)
    database.close()


def collections(uri: str) -> set[str]:
    return set(MilvusIndex(uri)._client(uri).list_collections())


def test_a_server_keeps_the_rows_and_the_folder_their_ids(uri: str, rows: Vectors, tmp_path: Path) -> None:
    before = collections(uri)
    index = MilvusIndex(uri).build(rows, ids=np.arange(600) * 2)
    index.save(tmp_path / "index")
    assert sum(file.stat().st_size for file in tmp_path.rglob("*") if file.is_file()) < 10_000
    loaded = load_index(tmp_path / "index")
    np.testing.assert_array_equal(loaded.search(rows[:20], 5), index.search(rows[:20], 5))
    loaded.delete([0, 2])
    assert not np.isin(loaded.search(rows[:2], 5)[1], [0, 2]).any()
    np.testing.assert_array_equal(load_index(tmp_path / "index").search(rows[:2], 1)[1], [[0], [2]])  # until saved
    loaded.add(rows[:1], ids=[7])
    loaded.save(tmp_path / "index")
    again = load_index(tmp_path / "index")
    assert again.search(rows[:1], 1)[1].tolist() == [[7]]
    assert (len(again), again._count()) == (599, 599)
    MilvusIndex(uri).build(rows[:50]).save(tmp_path / "index")
    assert len(load_index(tmp_path / "index")) == 50
    assert len(collections(uri) - before) == 1  # the old one is gone


def everything(index: MilvusIndex) -> int:
    return int(index._query("", "count(*)")[0]["count(*)"])


def test_loading_writes_nothing_and_a_save_takes_away_what_a_cut_off_add_left(
    uri: str, rows: Vectors, tmp_path: Path
) -> None:
    MilvusIndex(uri).build(rows).save(tmp_path / "index")
    lost = load_index(tmp_path / "index").add(rows[:9])  # and never saved
    loaded = load_index(tmp_path / "index")
    assert (len(loaded), loaded._count(), everything(loaded)) == (600, 600, 610)  # and one that says what is saved
    assert (loaded.search(rows[:9], 3)[1] < 600).all()
    loaded.add(rows[9:12]).save(tmp_path / "index")
    assert (len(loaded), loaded._count(), everything(loaded)) == (603, 603, 605)
    np.testing.assert_array_equal(load_index(tmp_path / "index").search(rows[:12], 9), loaded.search(rows[:12], 9))
    with pytest.raises(ValueError, match="written by another process after it was loaded"):
        lost.save(tmp_path / "index")


def test_an_older_copy_of_the_folder_sees_its_own_rows_and_takes_none_from_the_newer(
    uri: str, rows: Vectors, tmp_path: Path
) -> None:
    MilvusIndex(uri).build(rows[:300]).save(tmp_path / "index")
    shutil.copytree(tmp_path / "index", tmp_path / "copy")
    old = load_index(tmp_path / "copy").search(rows, 5)
    load_index(tmp_path / "index").add(rows[300:]).save(tmp_path / "index")
    new = load_index(tmp_path / "index").search(rows, 5)
    copy = load_index(tmp_path / "copy")
    np.testing.assert_array_equal(copy.search(rows, 5), old)
    copy.add(rows[300:310] * -1).save(tmp_path / "copy")  # in the places that the other's have
    np.testing.assert_array_equal(load_index(tmp_path / "index").search(rows, 5), new)
    assert load_index(tmp_path / "copy").search(-rows[300:310], 1)[1].ravel().tolist() == list(range(300, 310))


def test_a_search_during_another_process_s_add_sees_what_is_saved(uri: str, rows: Vectors, tmp_path: Path) -> None:
    MilvusIndex(uri).build(rows[:300]).save(tmp_path / "index")
    reader, writer = load_index(tmp_path / "index"), load_index(tmp_path / "index")
    before = reader.search(rows, 5)
    writer.add(rows[300:])
    np.testing.assert_array_equal(reader.search(rows, 5), before)
    np.testing.assert_array_equal(load_index(tmp_path / "index").search(rows, 5), before)
    writer.save(tmp_path / "index")
    np.testing.assert_array_equal(reader.search(rows, 5), before)
    assert load_index(tmp_path / "index").search(rows, 1)[1].ravel().tolist() == list(range(600))


def test_rows_that_another_program_took_are_missed(uri: str, rows: Vectors, tmp_path: Path) -> None:
    MilvusIndex(uri).build(rows).save(tmp_path / "index")
    load_index(tmp_path / "index")._remove(np.array([5]))
    with pytest.raises(ValueError, match=r"expected 600 rows in projhead_.*, found 599; another program changed them"):
        load_index(tmp_path / "index")
    MilvusIndex(uri)._client(uri).drop_collection(load_record(tmp_path)["collection"])
    with pytest.raises(ValueError, match=r"expected the collection projhead_.*, got none of that name"):
        load_index(tmp_path / "index")


def load_record(folder: Path) -> dict[str, object]:
    return json.loads(next(folder.rglob("collection.json")).read_text())


def test_a_record_names_no_host_and_the_token_goes_where_the_user_says(
    uri: str, rows: Vectors, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    MilvusIndex(uri).build(rows[:50]).save(tmp_path / "index")
    written = b"".join(file.read_bytes() for file in tmp_path.rglob("*") if file.is_file())
    assert uri.encode() not in written
    monkeypatch.setenv("MILVUS_TOKEN", "root:s3cret-t0ken")
    monkeypatch.delenv("MILVUS_URI")
    with pytest.raises(ValueError, match=r"is of a Milvus server: name it, as in MILVUS_URI=http"):
        load_index(tmp_path / "index")
    assert len(MilvusIndex(uri).load(tmp_path / "index")) == 50
    evil = {"class": "projhead.indexes.milvus.MilvusIndex", "parameters": {"uri": "http://evil.example:19530"}}
    assert registry.build(evil, "index").uri is None  # a stranger's record
    rescore = {"class": "projhead.indexes.rescore.RescoreIndex", "parameters": {"first": evil}}
    assert registry.build(rescore, "index").first.uri is None


@pytest.mark.parametrize("uri_", ["/home/someone/file.db", "file.db", "file:///etc/passwd", "localhost:19530"])
def test_a_local_file_is_no_server(uri_: str) -> None:
    with pytest.raises(ValueError, match="expected a server such as http://localhost:19530, got "):
        MilvusIndex(uri_)


def test_a_record_can_name_no_collection_of_another_program(uri: str, rows: Vectors, tmp_path: Path) -> None:
    (tmp_path / "collection.json").write_text(json.dumps({"collection": "customers", "marks": [], "server": True}))
    index = MilvusIndex(uri).build(rows[:20])
    for change in (index._read, index._replaced):
        with pytest.raises(ValueError, match=r"expected a collection such as .*'customers'.*: refused"):
            change(tmp_path)


def test_the_token_is_in_no_file_and_no_setting(
    uri: str, rows: Vectors, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("MILVUS_TOKEN", "s3cret-t0ken")
    index = MilvusIndex(uri).build(rows[:20])
    index.save(tmp_path / "index")
    written = b"".join(file.read_bytes() for file in tmp_path.rglob("*") if file.is_file())
    assert b"s3cret" not in written
    assert "s3cret" not in caplog.text + repr(vars(index))
    for bad in ("http://root:pass@localhost:19530", "https://cloud.example/?token=abc"):
        with pytest.raises(ValueError, match="put the token into MILVUS_TOKEN instead"):
            MilvusIndex(bad)


def test_a_server_that_does_not_answer_is_named_and_the_token_is_not(
    rows: Vectors, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        nobody = f"http://127.0.0.1:{free.getsockname()[1]}"
    match = (
        rf"expected a Milvus server at {nobody}, got: .*; start it, or check uri and MILVUS_TOKEN \(which is {{}}set"
    )
    with pytest.raises(ConnectionError, match=match.format("not ")):
        MilvusIndex(nobody).build(rows)
    monkeypatch.setenv("MILVUS_TOKEN", "root:s3cret-t0ken")
    with pytest.raises(ConnectionError, match=match.format("")) as caught:
        MilvusIndex(nobody).build(rows)
    assert "s3cret" not in "".join(traceback.format_exception(caught.value)) + caplog.text


def test_the_token_reaches_the_server(uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import pymilvus

    seen = {}
    monkeypatch.setenv("MILVUS_TOKEN", "root:s3cret-t0ken")
    monkeypatch.setattr(pymilvus, "MilvusClient", lambda address, **settings: seen.update({address: settings}))
    MilvusIndex(uri)._client(uri)
    MilvusIndex()._client("file.db")  # and no file
    assert seen == {uri: {"token": "root:s3cret-t0ken"}, "file.db": {"token": ""}}


def test_copies_of_killed_processes_are_swept_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    code = "from projhead.indexes.milvus import folder_for_copies; folder_for_copies()"
    for _ in range(2):
        subprocess.run([sys.executable, "-c", code], check=True, env={**os.environ, "TMPDIR": str(tmp_path)})
    (shared,) = tmp_path.iterdir()
    (left,) = shared.iterdir()  # the first was swept up by the second
    made = folder_for_copies()
    assert list(shared.iterdir()) == [made]
    assert left != made
    assert shared.stat().st_mode & 0o777 == 0o700
