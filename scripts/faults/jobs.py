"""What every verb writes, on tiny data."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from harness import Job, digest, verb

from projhead.codecs.base import load_codec
from projhead.codecs.integer import Integer
from projhead.collection import Collection
from projhead.persistence.record import read_record
from projhead.reducers.base import load_reducer
from projhead.reducers.pca import PCA
from projhead.report.results import Result, append_results, read_results
from projhead.store.store import EmbeddingStore
from projhead.vectors import unit_rows

#: Settings of a head that is trained in a second.
SMALL = ["n_components=4", "head=linear", "reducer.blend=1", "reducer.steps_per_epoch=2", "reducer.n_documents=32",
         "reducer.n_queries=8", "reducer.n_anchors=8", "trainer.max_steps=4"]  # fmt: skip
#: Formats of whole students, and what writes them.
_STUDENTS = {"sentence_transformers": "torch", "onnx": "onnxruntime", "openvino": "openvino"}
_WORDS = ["boat", "owl", "inn", "road", "drum", "lamp", "farm", "red", "old", "near", "under", "over", "the", "is"]


def _rows(n: int, seed: int) -> np.ndarray[Any, Any]:
    return unit_rows(np.random.default_rng(seed).normal(size=(n, 16)))


def jobs(root: Path) -> Iterator[Job]:
    """Yield what every verb writes, on tiny data."""
    vectors = ["encoder=precomputed", f"encoder.path={root / 'v.npy'}"]
    store, index, out = root / "store", root / "index", root / "out"

    def start() -> None:
        np.save(root / "v.npy", _rows(120, 0))

    def start_index() -> None:
        start()
        encode()
        build()

    def read_store() -> str:
        found = EmbeddingStore.open(store)
        return digest(found.rows, found.ids)

    def read_index() -> str:
        found = Collection.open(index)
        return digest(found.ids, [(hit.id, round(hit.score, 4)) for hit in found.search(_rows(1, 9)[0], 5)])

    encode = verb(root, "encode", *vectors, f"out={store}", "shard_rows=40")
    build = verb(root, "index", f"store={store}", f"out={index}")
    yield Job("encode", start, encode, read_store)
    coded = verb(root, "encode", *vectors, f"out={store}", "shard_rows=40", "codec=int8")
    yield Job("encode codec=int8", start, coded, read_store)
    yield Job("index", lambda: (start(), encode()), build, read_index)
    exact = verb(root, "index", f"store={store}", f"out={index}", "index=exact", "codec=int8")
    yield Job("index over an older one", start_index, exact, lambda: digest(Collection.open(index).index.nbytes))
    delete = verb(root, "index", f"out={index}", "delete=['3','17']")
    yield Job("index delete", start_index, delete, read_index, again=False)

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
    yield from _exports(root)
    if find_spec("lancedb"):
        loading = verb(root, "load", f"store={store}", f"to=lance://{root / 'lance'}", "batch_rows=10")
        yield Job(
            "load to=lance", lambda: (start(), encode()), loading, lambda: _in_lance(root), outside=True, slow=True
        )
    if find_spec("milvus_lite"):
        local = verb(root, "index", f"store={store}", f"out={index}", "index=milvus")
        yield Job("index=milvus", start_index, local, lambda: (read_index(), kind_of(index)), outside=True, slow=True)


def kind_of(index: Path) -> str:
    """Return what kind an index is."""
    return type(Collection.open(index).index).__name__


def _in_lance(root: Path) -> str:
    import lancedb

    rows = lancedb.connect(root / "lance").open_table("documents").to_arrow().sort_by("id")
    return digest(rows["id"].to_pylist())


def _exports(root: Path) -> Iterator[Job]:
    """Yield whole students in every format, of a network of one layer."""
    out, model = root / "out", root / "model"
    teacher = ["encoder=sentence_transformer", f"encoder.path={model}", "encoder.local_files_only=true"]
    corpus = ["corpus=file", f"corpus.path={root / 'texts.txt'}", "corpus.test_fraction=0.9"]

    def start() -> None:
        _write_model(model)
        choice = np.random.default_rng(0)
        (root / "texts.txt").write_text("\n".join(" ".join(choice.choice(_WORDS, 5)) for _ in range(40)))
        for seed, name in ((1, "artifact"), (2, "other")):
            PCA(4).fit(unit_rows(np.random.default_rng(seed).normal(size=(60, 16)))).save(root / name)

    for format, needed in _STUDENTS.items():
        if find_spec(needed) is None:
            continue
        older, newer = (
            verb(root, "export", *teacher, *corpus, f"artifact={root / name}", f"out={out}", f"export={format}",
                 run=f"run_{name}")
            for name in ("other", "artifact")
        )  # fmt: skip

        def start_again(older: Callable[[], Any] = older) -> None:
            start()
            older()

        yield Job(
            f"export={format}", start_again, newer, lambda: digest(read_record(out, "export", ()).files), slow=True
        )


def _write_model(folder: Path) -> None:
    """Write a BERT of random weights, one layer of width 16, as a sentence-transformers model."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Normalize, Pooling, Transformer
    from transformers import BertConfig, BertModel, BertTokenizerFast

    network = folder.with_name("network")
    network.mkdir()
    tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *_WORDS]
    (network / "vocab.txt").write_text("\n".join(tokens))
    torch.manual_seed(0)
    shape = {"num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
    BertModel(BertConfig(vocab_size=len(tokens), hidden_size=16, **shape)).save_pretrained(network)
    BertTokenizerFast(vocab=str(network / "vocab.txt")).save_pretrained(network)
    modules = [Transformer(str(network), max_seq_length=24), Pooling(16), Normalize()]
    SentenceTransformer(modules=modules, device="cpu").save_pretrained(str(folder), create_model_card=False)
