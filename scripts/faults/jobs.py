"""What every verb writes, on tiny data."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from buckets import SCHEME
from harness import Job, digest, verb

from projhead.codecs.base import load_codec
from projhead.codecs.integer import Integer
from projhead.collection import Collection
from projhead.errors import UserError
from projhead.persistence.cache import user_cache
from projhead.persistence.record import read_record
from projhead.reducers.base import load_reducer
from projhead.reducers.pca import PCA
from projhead.report.results import Result, append_results, read_results
from projhead.store.store import EmbeddingStore
from projhead.vectors import unit_rows

#: Settings of a head that is trained in a second.
SMALL = ["n_components=4", "head=linear", "reducer.blend=1", "reducer.steps_per_epoch=2", "reducer.n_documents=32",
         "reducer.n_queries=8", "reducer.n_anchors=8", "trainer.max_steps=4"]  # fmt: skip
#: Kinds of index that take the place of another, and what they need.
_INDEXES = {"exact": "numpy", "rescore": "faiss", "faiss_binary": "faiss", "annoy": "annoy"}


def _rows(n: int, seed: int) -> np.ndarray[Any, Any]:
    return unit_rows(np.random.default_rng(seed).normal(size=(n, 16)))


def jobs(root: Path, *, slow: bool = True) -> Iterator[Job]:
    """Yield what every verb writes, on tiny data; what takes seconds where asked for."""
    of_file = ["encoder=precomputed", "encoder.name=vectors", "encoder.revision=1"]
    vectors = [*of_file, f"encoder.path={root / 'v.npy'}"]
    store, index, out, more = root / "store", root / "index", root / "out", root / "more"

    def start() -> None:
        np.save(root / "v.npy", _rows(120, 0))
        ids = [f"b{number}" for number in range(50)]
        pq.write_table(pa.table({"id": ids, "embedding": list(_rows(50, 4))}), root / "more.parquet")

    def start_index() -> None:
        start()
        encode()
        build()

    def read_store(place: Path | str = store) -> str:
        shutil.rmtree(user_cache("stores"), ignore_errors=True)  # what is there no more is not read from there
        found = EmbeddingStore.open(place)
        return digest(found.rows, found.ids, found.manifest)

    def read_index() -> str:
        found = Collection.open(index)
        return digest(found.ids, [(hit.id, round(hit.score, 4)) for hit in found.search(_rows(1, 9)[0], 5)])

    encode = verb(root, "encode", *vectors, f"out={store}", "shard_rows=40")
    build = verb(root, "index", f"store={store}", f"out={index}")
    yield Job("encode", start, encode, read_store)
    coded = verb(root, "encode", *vectors, f"out={store}", "shard_rows=40", "codec=int8")
    yield Job("encode codec=int8", start, coded, read_store)
    bucket = f"{SCHEME}://{root / 'bucket'}"
    put = verb(root, "encode", *vectors, f"out={bucket}", "shard_rows=40", "codec=int8")
    yield Job("encode to a bucket", start, put, lambda: read_store(bucket))
    yield Job("index", lambda: (start(), encode()), build, read_index)
    for kind in [name for name, needed in _INDEXES.items() if find_spec(needed)]:
        other = verb(root, "index", f"store={store}", f"out={index}", f"index={kind}")
        yield Job(f"index={kind} over an older one", start_index, other, lambda: (read_index(), kind_of(index)))
    delete = verb(root, "index", f"out={index}", "delete=['3','17']")
    yield Job("index delete", start_index, delete, read_index, again=False)
    encode_more = verb(root, "encode", *of_file, f"encoder.path={root / 'more.parquet'}", f"out={more}")
    add = verb(root, "index", f"out={index}", f"add={more}")
    yield Job("index add", lambda: (start_index(), encode_more()), add, read_index, again=False)

    def changed() -> None:
        collection = Collection.open(index).add(EmbeddingStore.open(more))
        collection.delete(["3", "b4"])
        collection.save()

    yield Job("collection", lambda: (start_index(), encode_more()), changed, read_index, again=False)

    def fitted(seed: int, path: Path) -> None:
        PCA(4).fit(_rows(60, seed)).save(path)

    def read_artifact(path: Path = root / "artifact") -> str:
        return digest(load_reducer(path).transform(np.eye(16)))

    yield Job("artifact", lambda: fitted(1, root / "artifact"), lambda: fitted(2, root / "artifact"), read_artifact)
    saved = [lambda seed=seed: Integer(8).fit(_rows(60, seed)).save(root / "codec") for seed in (1, 2)]
    yield Job("codec", saved[0], saved[1], lambda: digest(load_codec(root / "codec").encode(_rows(5, 3))))

    def start_export() -> None:
        start()
        fitted(1, root / "artifact")
        export()
        shutil.rmtree(root / "run")
        fitted(2, root / "artifact")

    export = verb(root, "export", *vectors, f"artifact={root / 'artifact'}", f"out={out}", "export=head_faiss")
    yield Job("export", start_export, export, lambda: read_record(out, "export", ()).files["head.vt"]["sha256"])

    def read_run() -> str:
        return digest(read_artifact(root / "run" / "artifact"), len(read_results(root / "run" / "results.jsonl")) > 0)

    yield Job("train reducer=pca", start, verb(root, "train", *vectors, "reducer=pca", "n_components=4"), read_run)
    yield Job("train", start, verb(root, "train", *vectors, *SMALL), read_run)

    row = Result("t", "m", 0.5, 0.4, 0.6, "learned", 4, 9, "e", "r")

    def start_report() -> None:
        append_results(root / "rows" / "results.jsonl", [row])
        report()
        append_results(root / "rows" / "results.jsonl", [Result("t2", "m", 0.5, 0.4, 0.6, "pca", 4, 9, "e", "r")])

    report = verb(root, "report", f"results={root / 'rows'}", f"out={out}")
    yield Job("report", start_report, report, lambda: digest((out / "index.html").read_bytes()))

    def start_run() -> None:
        start()
        verb(root, "train", *vectors, "reducer=pca", "n_components=4", run="trained")()

    def read_rows() -> str:
        rows = read_results(root / "run" / "results.jsonl")
        return digest([(row.task, row.metric, row.reducer, row.codec, round(row.value, 6)) for row in rows])

    artifact = f"artifact={root / 'trained' / 'artifact'}"
    overlap = ["task=[neighbor_overlap]", "task.neighbor_overlap.top_k=[1]"]
    yield Job("evaluate", start_run, verb(root, "evaluate", *vectors, artifact, *overlap), read_rows)

    def read_plan() -> str:
        return digest((root / "run" / "plan.md").read_text())

    asked = ["target=faiss", "rows=1000", "memory=1MB"]
    yield Job("plan", start_run, verb(root, "plan", *vectors, artifact, *asked), read_plan)
    if not slow:
        return
    from students import students  # which imports what takes seconds

    loads = {
        "lance": ("lancedb", lambda: _in_lance(root / "lance")),
        "milvus": ("milvus_lite", lambda: _in_milvus(root / "rows.db")),
        "qdrant": ("qdrant_client", lambda: _in_qdrant(root / "qdrant")),
    }
    places = {"lance": "lance", "milvus": "rows.db", "qdrant": "qdrant"}
    for kind in [name for name, (needed, _) in loads.items() if find_spec(needed)]:
        load = verb(root, "load", f"store={store}", f"to={kind}://{root / places[kind]}", "batch_rows=10")
        kinds = {"outside": True, "partial": True, "slow": True}
        yield Job(f"load to={kind}", lambda: (start(), encode()), load, loads[kind][1], **kinds)
    if find_spec("milvus_lite"):
        local = verb(root, "index", f"store={store}", f"out={index}", "index=milvus")
        yield Job("index=milvus", start_index, local, lambda: (read_index(), kind_of(index)), outside=True, slow=True)
        start_milvus = lambda: (start(), encode(), local(), encode_more())  # noqa: E731
        yield Job("index=milvus add", start_milvus, add, read_index, again=False, outside=True, slow=True)
    yield from students(root)


def kind_of(index: Path) -> str:
    """Return what kind an index is."""
    return type(Collection.open(index).index).__name__


def _in_lance(path: Path) -> str:
    import lancedb

    return digest(lancedb.connect(path).open_table("documents").to_arrow().sort_by("id")["id"].to_pylist())


def _in_milvus(path: Path) -> str:
    from pymilvus import MilvusClient

    if not path.exists():  # which the client would make
        raise UserError(f"{path}: no such file")
    client = MilvusClient(str(path))
    client.load_collection("documents")
    rows = client.query("documents", filter='id != ""', output_fields=["id"], consistency_level="Strong")
    return digest(sorted(row["id"] for row in rows))


def _in_qdrant(path: Path) -> str:
    from qdrant_client import QdrantClient

    if not path.exists():
        raise UserError(f"{path}: no such folder")
    client = QdrantClient(path=str(path))
    return digest(sorted(point.payload["id"] for point in client.scroll("documents", limit=1000)[0]))
