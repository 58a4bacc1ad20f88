"""One of each kind of thing out of a user's own package: a file and a yaml, and nothing of projhead's is touched."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.verbs import projhead

from projhead.settings import options

pytestmark = pytest.mark.slow

_PARTS = """
import numpy as np
from projhead.codecs.cast import Cast
from projhead.corpora.split import select
from projhead.data import Document, Scores
from projhead.exporters.head import HeadOnnx
from projhead.heads.linear import Linear
from projhead.indexes.exact import ExactIndex
from projhead.persistence.identity import EncoderIdentity
from projhead.losses.similarity_mse import SimilarityMSE
from projhead.reducers.truncation import Truncation
from projhead.vectors import unit_rows


class MyHead(Linear): ...
class MyLoss(SimilarityMSE): ...
class MyIndex(ExactIndex): ...
class MyExporter(HeadOnnx): ...


class MyCodec(Cast):
    def __init__(self, dtype):
        super().__init__(dtype)
        self.name = "my_codec"


class MyReducer(Truncation):
    kind = "my_reducer"


class MyCorpus:
    name = "my corpus"

    def __init__(self, n: int = 300):
        self.n = n

    def documents(self, split):
        return select((Document(f"id {i}", f"document {i}") for i in range(self.n)), split, 0.1)


class MyEncoder:
    name, dimension, two_sided = "my encoder", 16, False
    identity = EncoderIdentity("my encoder", "v1", 16)

    def __init__(self, seed: int = 0):
        self.seed = seed

    def encode(self, texts, *, show_progress=False):
        rows = [np.random.default_rng([self.seed, *text.encode()]).standard_normal(16) for text in texts]
        return unit_rows(np.array(rows, np.float32))

    encode_query = encode_document = encode


class MyTask:
    def __init__(self, n: int = 20):
        self.n = n

    def run(self, encoder, teacher):
        texts = [f"text {i}" for i in range(self.n)]
        yield Scores("my_task", "length", np.linalg.norm(encoder.encode(texts), axis=1).astype(float))
"""
_YAMLS = {
    "head": "_target_: my_package.parts.MyHead\n_partial_: true",
    "loss": "_target_: my_package.parts.MyLoss",
    "codec": "_target_: my_package.parts.MyCodec\ndtype: float16",
    "index": "_target_: my_package.parts.MyIndex",
    "export": "_target_: my_package.parts.MyExporter",
    "reducer": "_target_: my_package.parts.MyReducer\nn_components: ${n_components}",
    "corpus": "_target_: my_package.parts.MyCorpus",
    "encoder": "_target_: my_package.parts.MyEncoder",
    "task": "# @package task.mine\n_target_: my_package.parts.MyTask",
}


@pytest.fixture(autouse=True)
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The user's folder, which is on no path: the command line puts it there."""
    (tmp_path / "my_package").mkdir()
    (tmp_path / "my_package" / "__init__.py").touch()
    (tmp_path / "my_package" / "parts.py").write_text(_PARTS)
    for group, text in _YAMLS.items():
        (tmp_path / "conf" / group).mkdir(parents=True)
        (tmp_path / "conf" / group / "mine.yaml").write_text(f"{text}\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(options, "_own", [])  # --config-dir
    yield tmp_path
    options.read_option.cache_clear()
    options._names.cache_clear()


@pytest.fixture(autouse=True)
def forget() -> Iterator[Callable[[], None]]:
    """Forget the package, as the end of a process does."""

    def forget() -> None:
        for name in [name for name in sys.modules if name.partition(".")[0] == "my_package"]:
            del sys.modules[name]
        importlib.invalidate_caches()

    yield forget
    forget()


def test_one_of_each_runs_and_loads_again(root: Path, forget: Callable[[], None]) -> None:
    own = "--config-dir conf trusted=[my_package]"
    printed = ""
    for line in (
        f"train {own} encoder=mine corpus=mine queries=none head=mine loss=mine +reducer@baselines.mine=mine "
        "n_components=4 trainer.max_steps=5 run_dir=run",
        f"evaluate {own} encoder=mine task=mine codecs=[mine] artifact=run/artifact run_dir=evaluated",
        f"encode {own} encoder=mine corpus=mine codec=mine out=store",
        f"index {own} store=store index=mine out=index",
        "search trusted=[my_package] index=index query=document",
        f"export {own} encoder=mine corpus=mine artifact=run/artifact export=mine out=exported",
    ):
        printed += projhead(*line.split(), root=root / "out")
        forget()
    for said in ("my_reducer", "my_task", "my_codec", "300 rows of 16", "cosine to the fp32 student is 1.00000"):
        assert said in printed


def test_without_the_users_word_nothing_of_it_is_loaded(root: Path, forget: Callable[[], None]) -> None:
    own = "--config-dir conf encoder=mine corpus=mine"
    train = f"train {own} queries=none head=mine n_components=4 trainer.max_steps=2 reducer.blend=1 run_dir=run"
    projhead(*train.split(), "trusted=[my_package]", root=root / "out")
    forget()
    said = projhead(*f"export {own} artifact=run/artifact export=head_onnx out=exported".split(), root=root, status=2)
    assert "is not projhead's own head, and loading it would run its code: refused" in said
    assert "trusted=[my_package] on the command line" in said
