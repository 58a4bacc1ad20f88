"""One of each kind of thing out of a user's own package: a file and a yaml, and nothing of projhead's is touched."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

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
#: The verbs in one process, as their command lines are read.
_VERBS = """
import sys
from projhead.cli import main

for line in sys.stdin.read().splitlines():
    sys.argv = ["projhead", *line.split("|")]
    main()
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "my_package").mkdir()
    (tmp_path / "my_package" / "__init__.py").touch()
    (tmp_path / "my_package" / "parts.py").write_text(_PARTS)
    for group, text in _YAMLS.items():
        (tmp_path / "conf" / group).mkdir(parents=True)
        (tmp_path / "conf" / group / "mine.yaml").write_text(f"{text}\n")
    return tmp_path


def _projhead(root: Path, *lines: str) -> subprocess.CompletedProcess[str]:
    """Run verbs in the user's folder, which is on no path."""
    code = [sys.executable, "-P", "-c", _VERBS]
    environment = os.environ | {"PROJHEAD_ROOT": str(root / "out")}
    text = "\n".join(line.replace(" ", "|") for line in lines)
    return subprocess.run(code, input=text, cwd=root, env=environment, capture_output=True, text=True, check=False)


def test_one_of_each_runs_and_loads_again(root: Path) -> None:
    own = "--config-dir conf trusted=[my_package]"
    done = _projhead(
        root,
        f"train {own} encoder=mine corpus=mine queries=none head=mine loss=mine +reducer@baselines.mine=mine "
        "n_components=4 trainer.max_steps=5 run_dir=run",
        f"evaluate {own} encoder=mine task=mine codecs=[mine] artifact=run/artifact run_dir=evaluated",
        f"encode {own} encoder=mine corpus=mine codec=mine out=store",
        f"index {own} store=store index=mine out=index",
        "search trusted=[my_package] index=index query=document",
        f"export {own} encoder=mine corpus=mine artifact=run/artifact export=mine out=exported",
    )
    assert done.returncode == 0, done.stderr
    for said in ("my_reducer", "my_task", "my_codec", "300 rows of 16", "cosine to the fp32 student is 1.00000"):
        assert said in done.stdout


def test_without_the_users_word_nothing_of_it_is_loaded(root: Path) -> None:
    own = "--config-dir conf encoder=mine corpus=mine"
    trained = _projhead(
        root,
        f"train {own} queries=none head=mine n_components=4 trainer.max_steps=2 reducer.blend=1 run_dir=run "
        "trusted=[my_package]",
        f"export {own} artifact=run/artifact export=head_onnx out=exported",
    )
    assert trained.returncode == 2
    assert "is not projhead's own head, and loading it would run its code: refused" in trained.stderr
    assert "trusted=[my_package] on the command line" in trained.stderr
