"""A student of the real MiniLM, one of a tiny network, real texts, and a run of a card's snippet without projhead."""

from __future__ import annotations

import inspect
import json
import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Pooling, Transformer
from torch import nn
from transformers import MPNetConfig, MPNetModel

from projhead.encoders.minilm import MiniLM
from projhead.heads.residual_mlp import ResidualMLP
from projhead.reducers.pca import PCA
from projhead.students.assemble import assemble
from projhead.vectors import Vectors

_BLOCKED = "import sys; sys.modules.update(dict.fromkeys({blocked!r}))\n"


@pytest.fixture(scope="session")
def texts() -> list[str]:
    """96 texts of real prose, from one line to beyond the 64 tokens that the encoder reads."""
    docs = [inspect.getdoc(getattr(np, name)) or "" for name in sorted(np.__all__)]
    long = [doc for doc in docs if len(doc) > 800]
    return [doc.split("\n")[0] for doc in long[:48]] + [doc[: 30 * n] for n, doc in enumerate(long[48:96], start=1)]


@pytest.fixture(scope="session")
def vectors(minilm: MiniLM, texts: list[str]) -> Vectors:
    return minilm.encode(texts)


@pytest.fixture(scope="session")
def residual(vectors: Vectors) -> PCA:
    """A reducer with a residual MLP whose network says something."""
    torch.manual_seed(0)
    reducer = PCA(32, center=False).fit(vectors)
    head = ResidualMLP(384, 32, hidden_features=48)
    head.initialize(reducer.head_.projection.weight)
    nn.init.normal_(head.output.weight, std=0.1)
    reducer.head_ = head.requires_grad_(False)
    return reducer


@pytest.fixture(scope="session")
def student(minilm: MiniLM, residual: PCA, traced_once: None) -> SentenceTransformer:
    return assemble(minilm.model, residual)


@pytest.fixture(scope="session")
def reference(student: SentenceTransformer, texts: list[str]) -> Vectors:
    """The student's rows of the texts."""
    rows: Vectors = student.encode(texts)
    rows.setflags(write=False)
    return rows


@pytest.fixture(scope="session")
def tiny(
    minilm: MiniLM, texts: list[str], tmp_path_factory: pytest.TempPathFactory, traced_once: None
) -> SentenceTransformer:
    """An MPNet (relative positions, no token types) of random weights, 2 layers of width 32, reduced to 8."""
    folder = tmp_path_factory.mktemp("tiny")
    torch.manual_seed(0)
    shape = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
    network = MPNetModel(MPNetConfig(vocab_size=30522, initializer_range=0.3, **shape))
    network.save_pretrained(folder)
    tokenizer = minilm.model.tokenizer
    tokenizer.save_pretrained(folder)
    config = json.loads((folder / "tokenizer_config.json").read_text())
    config.update(tokenizer_class="TokenizersBackend", model_input_names=["input_ids", "attention_mask"])
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    model = SentenceTransformer(modules=[Transformer(str(folder), max_seq_length=48), Pooling(32)], device="cpu")
    return assemble(model, PCA(8).fit(model.encode(texts)))


@pytest.fixture
def run_usage(tmp_path: Path) -> Callable[..., Vectors]:
    """Return what runs the Python snippet of a folder's README.md where projhead cannot be imported."""

    def run(folder: Path, *, blocked: Sequence[str] = (), **given: object) -> Vectors:
        snippet = re.search(r"```python\n(.*?)```", (folder / "README.md").read_text(), re.DOTALL)
        assert snippet is not None
        code = _BLOCKED.format(blocked=["projhead", *blocked]) + snippet[1]
        for name, value in {"folder": repr(str(folder)), **given}.items():
            code, count = re.subn(rf"^(?:{name} = .*)$", lambda _, n=name, v=value: f"{n} = {v}", code, flags=re.M)
            assert count == 1, f"the snippet does not begin from {name}"
        (tmp_path / "usage.py").write_text(code + f"\nimport numpy\nnumpy.save({str(tmp_path / 'rows.npy')!r}, rows)\n")
        found = subprocess.run([sys.executable, "-W", "error", tmp_path / "usage.py"], capture_output=True, text=True)
        assert found.returncode == 0, found.stderr
        rows: Vectors = np.load(tmp_path / "rows.npy")
        return rows

    return run
