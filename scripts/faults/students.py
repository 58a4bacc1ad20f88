"""Whole students on tiny data: trained, and written in every form."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from harness import Job, digest, verb
from torch import nn

from projhead.exporters import tracing
from projhead.persistence.record import read_record
from projhead.reducers.base import load_reducer
from projhead.reducers.pca import PCA
from projhead.vectors import unit_rows

#: Forms of a student, and what writes them.
FORMS = [
    ("sentence_transformers", None, "torch"),
    *(("onnx", form, "onnxruntime") for form in ("float32", "float16", "int8", "int8_static")),
    *(("openvino", form, "openvino") for form in ("float32", "int8")),
]
_WORDS = ["boat", "owl", "inn", "road", "drum", "lamp", "farm", "red", "old", "near", "under", "over", "the", "is"]
#: Settings of a training that takes a second.
_SHORT = ["n_components=4", "reducer.n_documents=64", "trainer.max_steps=4", "trainer.accelerator=cpu",
          "student.trainer.max_steps=4", "student.trainer.accelerator=cpu", "student.steps_per_epoch=2"]  # fmt: skip


def students(root: Path) -> Iterator[Job]:
    """Yield a smaller student in training, and whole students of a network of two layers in every form."""
    _traced_once(root.with_name("traces"))
    out, model = root / "out", root / "model"
    corpus = ["corpus=file", f"corpus.path={root / 'texts.txt'}", "corpus.test_fraction=0.3"]

    def of(path: Path) -> list[str]:
        return ["encoder=sentence_transformer", f"encoder.path={path}", "encoder.local_files_only=true"]

    def start() -> None:
        write_model(model)
        choice = np.random.default_rng(0)
        texts = {" ".join(choice.choice(_WORDS, 5)) for _ in range(120)}
        (root / "texts.txt").write_text("\n".join(sorted(texts)))
        for seed, name in ((1, "artifact"), (2, "other")):
            PCA(4).fit(unit_rows(np.random.default_rng(seed).normal(size=(60, 32)))).save(root / name)

    def read() -> str:
        return digest(read_record(out, "export", ()).files)

    def read_small() -> str:
        encoder = read_record(root / "run" / "encoder", "encoder", ())
        return digest(sorted(encoder.files), load_reducer(root / "run" / "artifact").n_components)

    train = ["train", *of(model), *corpus, *_SHORT, f"paths.root={root}", "student=layers", "student.start.layers=1"]
    yield Job("train student=layers", start, verb(root, *train), read_small, slow=True)
    export = ["export", *of(model), *corpus, f"out={out}"]
    for format, form, needed in FORMS:
        if find_spec(needed) is None:
            continue
        shape = [f"export={format}", *([] if form is None else [f"quantization={form}"]), "min_mean_cosine=0"]
        older, newer = (
            verb(root, *export, *shape, f"artifact={root / name}", run=f"run_{name}") for name in ("other", "artifact")
        )
        name = " ".join(shape[:-1])
        yield Job(name, lambda older=older: (start(), older()), newer, read, slow=True)
    own = [*of(root / "run" / "encoder"), *corpus, f"artifact={root / 'run' / 'artifact'}", f"out={out}"]
    form = verb(root, "export", *own, "export=onnx", "quantization=int8", "min_mean_cosine=0", run="exported")
    yield Job("export of a smaller student", lambda: (start(), verb(root, *train)()), form, read, slow=True)


def _traced_once(folder: Path) -> None:
    """Let torch trace a student once and take what it found from a file: it takes seconds and writes nothing."""
    folder.mkdir(exist_ok=True)
    trace = tracing.export_graph

    def traced(module: nn.Module, *arguments: Any, **more: Any) -> Any:
        weights = {name: one.numpy() for name, one in module.state_dict().items()}
        known = folder / digest(*weights, *weights.values(), *arguments[1:2], more)
        if not known.exists():
            known.write_bytes(pickle.dumps(trace(module, *arguments, **more)))
        return pickle.loads(known.read_bytes())  # noqa: S301 - our own

    tracing.export_graph = traced


def write_model(folder: Path) -> None:
    """Write a BERT of random weights, two layers of width 32, as a sentence-transformers model."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Normalize, Pooling, Transformer
    from transformers import BertConfig, BertModel, BertTokenizerFast

    network = folder.with_name("network")
    network.mkdir()
    tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *_WORDS]
    (network / "vocab.txt").write_text("\n".join(tokens))
    torch.manual_seed(0)
    shape = {"num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
    BertModel(BertConfig(vocab_size=len(tokens), hidden_size=32, **shape)).save_pretrained(network)
    BertTokenizerFast(vocab=str(network / "vocab.txt")).save_pretrained(network)
    modules = [Transformer(str(network), max_seq_length=24), Pooling(32), Normalize()]
    SentenceTransformer(modules=modules, device="cpu").save_pretrained(str(folder), create_model_card=False)
