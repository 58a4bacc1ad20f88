"""The verbs as a user types them, on vectors made elsewhere."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import faiss
import numpy as np
import pytest
from tests.verbs import projhead

from projhead.codecs.base import load_codec
from projhead.reducers.base import load_reducer
from projhead.report.results import read_results
from projhead.vectors import unit_rows

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("projhead")
    vectors = unit_rows(np.random.default_rng(0).normal(size=(900, 24)) + 0.2)
    np.save(folder / "vectors.npy", vectors.astype(np.float16))
    return folder


def test_vectors_without_an_encoder_train_and_export(root: Path) -> None:
    vectors = ["encoder=precomputed", f"encoder.path={root / 'vectors.npy'}"]
    projhead("train", *vectors, "n_components=6", "head=linear", "trainer.max_steps=10", "reducer.steps_per_epoch=5",
             f"run_dir={root / 'vectors'}", root=root)  # fmt: skip
    said = projhead("export", *vectors, f"artifact={root / 'vectors' / 'artifact'}", "export=head_faiss",
                    f"out={root / 'head'}", root=root)  # fmt: skip
    assert "100.0% of the 10 nearest stay" in said
    assert (root / "head" / "head.vt").is_file()


def test_one_training_serves_several_widths(root: Path) -> None:
    vectors = ["encoder=precomputed", f"encoder.path={root / 'vectors.npy'}"]
    run = root / "nested"
    said = projhead("train", *vectors, "n_components=6", "reducer.nested=[2,4]", "trainer.max_steps=10",
                    "reducer.steps_per_epoch=5", f"run_dir={run}", root=root)  # fmt: skip
    artifacts = [run / "nested" / "2" / "artifact", run / "nested" / "4" / "artifact", run / "artifact"]
    for width, artifact in zip((2, 4, 6), artifacts, strict=True):
        assert re.search(rf"learned +\| +{width} ", said)
        assert load_reducer(artifact).n_components == width
    said = projhead("evaluate", *vectors, f"artifact=[{','.join(map(str, artifacts))}]", "task=neighbor_overlap",
                    "task.neighbor_overlap.top_k=[5]", f"run_dir={root / 'nested-evaluate'}", root=root)  # fmt: skip
    assert re.search(r"learned +\| +2 +\| .* to \w+", said)


def test_a_sweep_runs_every_combination(root: Path) -> None:
    vectors = ["encoder=precomputed", f"encoder.path={root / 'vectors.npy'}", "n_components=4"]
    said = projhead("train", "-m", "reducer=random_projection,truncation", "seed=0,1", *vectors,
                    f"run_dir={root / 'sweep'}", root=root)  # fmt: skip
    found = {
        (config["kind"], config["reducer"]["parameters"].get("random_state", 0))
        for config in (json.loads(path.read_text())["body"] for path in (root / "sweep").glob("*/artifact/config.json"))
    }
    assert found == {("random_projection", 0), ("random_projection", 1), ("truncation", 0)}
    table = said.partition("reducer=random_projection (2 runs), retention:")[2].partition("reducer=truncation")[0]
    each = [
        row.value
        for number in (0, 1)
        for row in read_results(root / "sweep" / str(number) / "results.jsonl")
        if (row.reducer, row.metric, row.baseline) == ("random_projection", "overlap@10", "")
    ]
    kept = f"{np.mean(each):.1%} ± {100 * np.std(each, ddof=1):.1f}"
    assert re.search(rf"random_projection +\| +4 +\| {re.escape(kept)}", table), table


@pytest.mark.filterwarnings("ignore:The dirpath has changed")  # Lightning, of a checkpoint of another run
def test_a_killed_training_goes_on_to_the_same_metric(root: Path) -> None:
    def arguments(name: str) -> list[str]:
        return ["train", "encoder=precomputed", f"encoder.path={root / 'vectors.npy'}", "n_components=6",
                "trainer.max_steps=300", "reducer.blend=1", "reducer.steps_per_epoch=10",
                "reducer.n_documents=64", "reducer.n_queries=16", "reducer.n_anchors=16",
                "callbacks.early_stopping.patience=1000", f"run_dir={root / name}"]  # fmt: skip

    environment = os.environ | {"PROJHEAD_ROOT": str(root)}
    command = [sys.executable, "-m", "projhead.cli", *arguments("killed")]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    last = root / "killed" / "checkpoints" / "last.ckpt"
    deadline = time.monotonic() + 120
    while not last.exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert last.exists()
    assert not (root / "killed" / "artifact").exists()
    assert "going on from" in projhead(*arguments("killed"), root=root)
    projhead(*arguments("whole"), root=root)
    again = projhead(*arguments("from_checkpoint"), f"ckpt_path={last}", "logger=csv", root=root)
    assert f"going on from {last}" in again
    assert not list((root / "from_checkpoint").rglob("metrics.csv"))  # nothing is left to train
    values = [
        {(row.reducer, row.metric, row.baseline): row.value for row in read_results(root / name / "results.jsonl")}
        for name in ("killed", "whole")
    ]
    assert values[0] == pytest.approx(values[1], abs=1e-6)


def test_a_head_trained_with_its_codec_becomes_a_faiss_index_of_these_codes(root: Path) -> None:
    vectors = ["encoder=precomputed", f"encoder.path={root / 'vectors.npy'}"]
    run = root / "with-codec"
    said = projhead(
        "train", *vectors, "n_components=24", "head=linear", "codec=pq:4",
        "trainer.max_steps=20", f"run_dir={run}", root=root,
    )  # fmt: skip
    assert "stored as pq_4: 4 bytes a vector" in said
    assert {row.bytes_per_vector for row in read_results(run / "results.jsonl")} == {4}
    projhead(
        "export", *vectors, f"artifact={run / 'artifact'}", "export=faiss_codes", f"out={root / 'codes'}", root=root
    )
    reducer = load_reducer(run / "artifact")
    assert reducer.codec_ is not None
    rows = unit_rows(np.load(root / "vectors.npy"))
    index = faiss.read_index(str(root / "codes" / "codes.index"))
    codes = reducer.codec_.encode(reducer.transform(rows))
    np.testing.assert_array_equal(index.sa_encode(rows), codes)
    np.testing.assert_array_equal(load_codec(run / "artifact" / "codec").encode(reducer.transform(rows)), codes)
