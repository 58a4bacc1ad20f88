"""``index`` and ``search`` in one process, on stores of vectors made elsewhere."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from projhead.collection import Collection
from projhead.commands.in_process import run_verb
from projhead.data import Document
from projhead.encoders.precomputed import Precomputed
from projhead.indexes.base import load_index
from projhead.store.store import EmbeddingStore
from projhead.store.write import write_store
from projhead.vectors import Vectors

TEXTS = [f"text {number}" for number in range(600)]


def run(verb: str, *overrides: str) -> float:
    return run_verb(verb, overrides, Path("."))


@pytest.fixture
def stores(rows: Vectors, tmp_path: Path) -> Path:
    """Two stores, one and two, of 400 and 200 rows of one encoder."""
    np.save(tmp_path / "rows.npy", rows)
    (tmp_path / "texts.txt").write_text("\n".join(TEXTS))
    encoder = Precomputed(str(tmp_path / "rows.npy"), texts=str(tmp_path / "texts.txt"))
    for name, part in (("one", TEXTS[:400]), ("two", TEXTS[400:])):
        documents = (Document(f"doc {text}", text) for text in part)
        write_store(tmp_path / name, encoder, documents, dtype="float32", shard_rows=150)
    return tmp_path


def found(path: Path, text: str, top_k: int = 3, **options: object) -> list[tuple[float, str, str]]:
    hits = Collection.open(path).search(text, top_k, **options)  # type: ignore[arg-type]
    return [(hit.score, hit.id, hit.text) for hit in hits]


@pytest.mark.parametrize("kind", ["index=exact", "index=faiss", "index=rescore", "index=exact codec=int8"])
def test_a_store_is_indexed_and_found(kind: str, stores: Path) -> None:
    rows = run("index", f"store={stores / 'one'}", f"out={stores / 'index'}", *kind.split())
    assert rows == 400
    score, name, text = found(stores / "index", TEXTS[123])[0]
    assert (name, text) == (f"doc {TEXTS[123]}", TEXTS[123])
    assert score == pytest.approx(1, abs=0.01)


def test_an_index_grows_shrinks_and_looks_among_some(stores: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = stores / "index"
    run("index", f"store={stores / 'one'}", f"out={path}")
    assert run("index", f"out={path}", f"add={stores / 'two'}") == 600
    assert found(path, TEXTS[555])[0][2] == TEXTS[555]
    (stores / "gone.txt").write_text(f"doc {TEXTS[555]}\ndoc {TEXTS[7]}\n")
    assert run("index", f"out={path}", f"delete={stores / 'gone.txt'}") == 598
    assert TEXTS[555] not in [text for _, _, text in found(path, TEXTS[555], 20)]
    assert found(path, TEXTS[556])[0][2] == TEXTS[556]
    assert run("index", f"out={path}", "delete=[doc text 3,doc text 4]") == 596
    some = [f"doc {text}" for text in TEXTS[500:510]]
    assert {name for _, name, _ in found(path, TEXTS[502], 50, filter_ids=some)} == set(some)
    best = run("search", f"index={path}", f"query='{TEXTS[502]}'", "top_k=2", f"filter_ids=[{some[2]},{some[3]}]")
    assert best == pytest.approx(1, abs=1e-5)
    assert "deleted 2 rows" in capsys.readouterr().out


def test_what_does_not_belong_is_refused_and_the_index_stays(stores: Path, rows: Vectors) -> None:
    path = stores / "index"
    build = (f"store={stores / 'one'}", f"out={path}")
    run("index", *build)
    np.save(stores / "other.npy", rows[:, ::-1])
    (stores / "few.txt").write_text("\n".join(TEXTS))
    other = Precomputed(str(stores / "other.npy"), texts=str(stores / "few.txt"))
    write_store(stores / "other", other, [Document("new", TEXTS[0])])
    for overrides, message in (
        (
            ("add=" + str(stores / "one"),),
            r"document 'doc text 0' is in the index already \(400 such\): delete it first",
        ),
        (
            ("add=" + str(stores / "other"),),
            "expected vectors of .*, got those of .*; encode it with the encoder",
        ),
        (("delete=[doc 9]",), "documents: 'doc 9' is not in the index"),
        ((), "expected store=... to build .* got none of them"),
        (("delete=[doc text 1]", "store=[a,b]"), r"stores: expected 1, those of the index .*, got 2"),
        (("store=[a,b]",), "expected one store to build an index over, got 2"),
        ((build[0], "codec=int8"), r"stores rows in its own way, got codec=int8: leave the codec out"),
        (
            (build[0], "engine=serial"),
            r"FaissIndex is built in one process: leave the engine out, or take faiss_on_disk",
        ),
    ):
        with pytest.raises(ValueError, match=message):
            run("index", f"out={path}", *overrides)
    with pytest.raises(ValueError, match=r"out: expected the index to change, got .*, which is not there"):
        run("index", f"out={stores / 'none'}", f"add={stores / 'two'}")
    assert len(load_index(path)) == 400
    with pytest.raises(ValueError, match="documents: 'x' is not in the index"):
        Collection.open(path).search(TEXTS[0], filter_ids=["x"])
    (stores / "one" / "manifest.json").unlink()
    with pytest.raises(FileNotFoundError, match="no store in"):
        Collection.open(path)


def test_lists_in_a_file_are_made_by_an_engine(stores: Path, capfd: pytest.CaptureFixture[str]) -> None:
    kind = ("index=faiss_on_disk", "index.factory='IVF8,Flat'", "index.nprobe=8", "engine=serial")
    assert run("index", f"store={stores / 'one'}", f"out={stores / 'index'}", *kind) == 400
    assert run("search", f"index={stores / 'index'}", f"query='{TEXTS[7]}'", "json=true") == pytest.approx(1, abs=1e-5)
    told = capfd.readouterr().out.splitlines()
    assert [line.split()[0] for line in told[:2]] == ["400", "ask"]  # nothing of FAISS's own
    assert json.loads(told[2])["hits"][0]["text"] == TEXTS[7]


def test_search_writes_nothing_and_finds_a_store_elsewhere(stores: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run("index", f"store={stores / 'one'}", f"out={stores / 'index'}")
    (stores / "one").rename(stores / "moved")
    (empty := stores / "empty").mkdir()
    monkeypatch.chdir(empty)
    asked = (f"index={stores / 'index'}", f"query='{TEXTS[5]}'")
    before = {path: path.stat().st_mtime_ns for path in stores.rglob("*")}
    with pytest.raises(FileNotFoundError, match=r"no store in .*projhead search or index store=<folder>"):
        run("search", *asked)
    assert run("search", *asked, f"store={stores / 'moved'}") == pytest.approx(1, abs=1e-5)
    assert {path: path.stat().st_mtime_ns for path in stores.rglob("*")} == before
    assert not list(empty.iterdir())
    assert run("index", f"out={stores / 'index'}", f"delete=['doc {TEXTS[5]}']", f"store={stores / 'moved'}")
    assert run("search", *asked) < 0.999  # found from the index alone from now on


def test_a_store_written_again_is_told(stores: Path) -> None:
    run("index", f"store={stores / 'two'}", f"out={stores / 'index'}")
    encoder = Precomputed(str(stores / "rows.npy"), texts=str(stores / "texts.txt"))
    for file in (stores / "two").iterdir():
        file.unlink()
    write_store(stores / "two", encoder, [Document("new", TEXTS[0])])
    assert len(EmbeddingStore.open(stores / "two")) == 1
    with pytest.raises(ValueError, match="was written again after the index"):
        Collection.open(stores / "index")


def test_ids_of_vectors_made_elsewhere_reach_the_search(tmp_path: Path) -> None:
    np.save(tmp_path / "v.npy", np.eye(4, dtype=np.float32))
    (tmp_path / "t.csv").write_text("key,text\na,same\nb,other\nc,same\nd,last\n")
    vectors = ["encoder=precomputed", f"encoder.path={tmp_path / 'v.npy'}"]
    run("encode", *vectors, f"out={tmp_path / 'numbered'}")
    assert EmbeddingStore.open(tmp_path / "numbered").ids == ["0", "1", "2", "3"]
    run("encode", *vectors, f"encoder.texts={tmp_path / 't.csv'}", "encoder.id_column=key",
        f"out={tmp_path / 'store'}")  # fmt: skip
    run("index", f"store={tmp_path / 'store'}", f"out={tmp_path / 'index'}")
    run("index", f"out={tmp_path / 'index'}", "delete=[a]")
    collection = Collection.open(tmp_path / "index")
    assert [hit[:3] for hit in collection.search("other", 1)] == [("b", 1.0, "other")]
    assert len(collection) == 3
    assert collection.index.search(np.eye(4)[2:3], 1)[1].tolist() == [[2]]  # the other "same" is there


def test_what_a_terminal_would_obey_is_shown_as_text(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.save(tmp_path / "v.npy", np.eye(2, dtype=np.float32))
    rows = [{"key": "id\x1b[2J", "text": "first\x1b]0;title\x07\nline"}, {"key": "b", "text": "other"}]
    (tmp_path / "t.jsonl").write_text("\n".join(map(json.dumps, rows)))
    run("encode", "encoder=precomputed", f"encoder.path={tmp_path / 'v.npy'}", "encoder.id_column=key",
        f"encoder.texts={tmp_path / 't.jsonl'}", f"out={tmp_path / 'store'}")  # fmt: skip
    run("index", f"store={tmp_path / 'store'}", f"out={tmp_path / 'index'}")
    capsys.readouterr()
    run("search", f"index={tmp_path / 'index'}", "query=other")
    shown = capsys.readouterr().out
    assert shown == "\nother\n   1  1.000  b  other\n   2  0.000  id\\x1b[2J  first\\x1b]0;title\\x07 line\n"
