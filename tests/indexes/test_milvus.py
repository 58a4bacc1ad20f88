"""Milvus as a server: milvus-lite's own, over the network."""

from __future__ import annotations

import socket
import traceback
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from projhead.indexes.base import load_index
from projhead.indexes.milvus import MilvusIndex
from projhead.vectors import Vectors

pytest.importorskip("pymilvus")
server = pytest.importorskip("milvus_lite.adapter.grpc.server")


@pytest.fixture(scope="module")
def uri(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
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


def test_what_a_cut_off_change_left_on_the_server_is_taken_back(uri: str, rows: Vectors, tmp_path: Path) -> None:
    MilvusIndex(uri).build(rows).save(tmp_path / "index")
    lost = load_index(tmp_path / "index").add(rows[:9])  # and never saved
    assert lost._count() == 609
    loaded = load_index(tmp_path / "index")
    assert (len(loaded), loaded._count()) == (600, 600)
    assert (loaded.search(rows[:9], 3)[1] < 600).all()
    loaded._remove(np.array([5]))
    with pytest.raises(ValueError, match=r"expected 600 rows in projhead_.*, found 599; another program changed them"):
        load_index(tmp_path / "index")


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
