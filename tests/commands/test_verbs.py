"""The verbs as a user types them, on real text with the real teacher, in small."""

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

from projhead.codecs.base import load_codec
from projhead.encoders.minilm import MiniLM
from projhead.evaluation.compare import compare
from projhead.reducers.base import load_reducer
from projhead.report.results import read_results
from projhead.store.store import EmbeddingStore
from projhead.tasks.neighbor_overlap import NeighborOverlap
from projhead.vectors import unit_rows

pytestmark = pytest.mark.slow

SUBJECTS = ("the harbour", "a violin", "our garden", "the old library", "her bicycle", "the football team", "this soup")
VERBS = ("was painted by", "belongs to", "was repaired for", "is admired by", "was forgotten by", "was sold to")
OBJECTS = ("a retired doctor", "the new teacher", "two tourists", "my neighbor", "a famous singer", "the mayor")
TEXTS = [f"{subject} {verb} {thing}".capitalize() for subject in SUBJECTS for verb in VERBS for thing in OBJECTS]


#: Steps of a moment.
SMALL = ["reducer.steps_per_epoch=10", "reducer.n_documents=64", "reducer.n_queries=16", "reducer.n_anchors=16"]


def projhead(*arguments: object, root: Path, fails: bool = False) -> str:
    """Run a command line; return what it printed."""
    command = [sys.executable, "-W", "error::UserWarning:projhead", "-m", "projhead.cli", *map(str, arguments)]
    environment = os.environ | {"PROJHEAD_ROOT": str(root), "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert (done.returncode != 0) == fails, done.stdout[-2000:] + done.stderr[-3000:]
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("projhead")
    (folder / "texts.txt").write_text("\n".join(TEXTS))
    vectors = unit_rows(np.random.default_rng(0).normal(size=(900, 24)) + 0.2)
    np.save(folder / "vectors.npy", vectors.astype(np.float16))
    return folder


@pytest.fixture(scope="module")
def run(root: Path) -> Path:
    """A finished training run on the texts."""
    projhead(
        "train", "corpus=file", f"corpus.path={root / 'texts.txt'}", "corpus.test_fraction=0.45", "n_components=8",
        "encoder.max_seq_length=32", "trainer.max_steps=20", *SMALL,
        f"run_dir={root / 'run'}", root=root,
    )  # fmt: skip
    return root / "run"


def test_train_compares_the_head_with_every_pca_form_and_keeps_what_it_made(run: Path) -> None:
    rows = read_results(run / "results.jsonl")
    measured = {row.reducer for row in rows if row.metric == "overlap@10" and not row.baseline}
    pca = {"pca", "pca_uncentered", "pca_whitened", "pca_power"}
    assert measured == {"learned", *pca, "random_projection", "truncation"}
    difference = next(row for row in rows if row.metric == "overlap@10" and row.baseline)
    values = {row.reducer: row.value for row in rows if row.metric == "overlap@10" and not row.baseline}
    best = max(value for name, value in values.items() if name.startswith("pca"))
    assert difference.value == pytest.approx(values["learned"] - best)
    assert json.loads((run / "artifact" / "config.json").read_text())["body"]["teacher"]["dimension"] == 384
    assert (run / "logs" / "csv" / "metrics.csv").read_text().count("\n") >= 3
    assert list((run / "logs" / "tensorboard").glob("events.out*"))


def test_a_finished_run_is_not_trained_again_and_other_settings_are_refused(run: Path, root: Path) -> None:
    same = ["train", "corpus=file", f"corpus.path={root / 'texts.txt'}", "corpus.test_fraction=0.45",
            "encoder.max_seq_length=32", *SMALL,
            f"run_dir={run}"]  # fmt: skip
    before = (run / "artifact" / "model.safetensors").stat().st_mtime_ns
    assert "is finished already" in projhead(*same, "n_components=8", root=root)
    assert (run / "artifact" / "model.safetensors").stat().st_mtime_ns == before
    said = projhead(*same, "n_components=16", root=root, fails=True)
    assert "n_components was 8, now 16" in said


def test_encode_index_and_search_find_the_text_itself(run: Path, root: Path) -> None:
    teacher = ["encoder.max_seq_length=32", f"artifact={run / 'artifact'}"]
    corpus = ["corpus=file", f"corpus.path={root / 'texts.txt'}"]
    projhead("encode", *teacher, *corpus, f"out={root / 'store'}", root=root)
    store = EmbeddingStore.open(root / "store")
    assert [document.text for document in store.documents([0, 100])] == [TEXTS[0], TEXTS[100]]
    np.testing.assert_allclose(np.linalg.norm(store.rows.astype(np.float32), axis=1), 1, atol=1e-3)
    projhead("index", f"store={root / 'store'}", f"out={root / 'texts-index'}", 'index.factory="IVF4,Flat"',
             "index.nprobe=4", root=root)  # fmt: skip
    said = projhead("search", f"index={root / 'texts-index'}", f"query='{TEXTS[100]}'", "top_k=3", root=root)
    first = next(line for line in said.splitlines() if line.strip().startswith("1  "))
    assert TEXTS[100] in first
    assert float(first.split()[1]) == pytest.approx(1, abs=2e-3)
    assert not (root / "search").exists()  # which only reads


def test_evaluate_puts_teacher_and_baselines_into_the_table_and_report_shows_them(run: Path, root: Path) -> None:
    pairs = [{"sentence1": TEXTS[i], "sentence2": TEXTS[(7 * i) % 200], "score": i % 5} for i in range(60)]
    (root / "sts.jsonl").write_text("\n".join(json.dumps(pair) for pair in pairs))
    projhead("evaluate", "encoder.max_seq_length=32", f"artifact={run / 'artifact'}", "task=[sts,neighbor_overlap]",
             f"task.sts.path={root / 'sts.jsonl'}", f"task.neighbor_overlap.path={root / 'texts.txt'}",
             f"run_dir={root / 'evaluation'}", root=root)  # fmt: skip
    rows = read_results(root / "evaluation" / "results.jsonl")
    spearman = {row.reducer: row for row in rows if row.metric == "spearman" and not row.baseline}
    assert {"teacher", "learned", "pca", "pca_uncentered", "pca_whitened"} <= set(spearman)
    assert next(row.value for row in rows if (row.reducer, row.metric) == ("teacher", "overlap@10")) == 1
    projhead("report", f"results={root / 'evaluation'}", f"out={root / 'report'}", root=root)
    assert f"{spearman['learned'].value:.3f}" in (root / "report" / "index.html").read_text()


def test_evaluate_stores_documents_with_codecs_and_report_draws_them_by_bytes(run: Path, root: Path) -> None:
    (root / "more.txt").write_text("\n".join([*TEXTS, *(f"{text}, they say" for text in TEXTS[:60])]))
    said = projhead(
        "evaluate", "encoder.max_seq_length=32", f"artifact={run / 'artifact'}", "task=[neighbor_overlap]",
        f"task.neighbor_overlap.path={root / 'texts.txt'}", "codecs=[int8,pq:32]", "corpus@calibration=file",
        f"calibration.path={root / 'more.txt'}", "calibration.test_fraction=0.1",
        f"run_dir={root / 'coded'}", root=root,
    )  # fmt: skip
    assert "left out: learned at 8 dimensions, as pq_32: expected rows of a width that is a multiple of 32" in said
    rows = {
        (row.reducer, row.codec): row
        for row in read_results(root / "coded" / "results.jsonl")
        if row.metric == "overlap@10" and not row.baseline
    }
    sizes = {
        ("teacher", "float32"): 1536,
        ("teacher", "int8"): 384,
        ("teacher", "pq_32"): 32,
        ("learned", "int8"): 8,
    }
    assert {key: rows[key].bytes_per_vector for key in sizes} == sizes
    assert rows["teacher", "pq_32"].fitted_to == "more"
    assert ("learned", "pq_32") not in rows
    values = [rows["teacher", codec].value for codec in ("float32", "int8", "pq_32")]
    assert values == sorted(values, reverse=True)
    assert values[0] == 1
    assert 0.9 < values[1] < 1
    differences = [row for row in read_results(root / "coded" / "results.jsonl") if row.baseline]
    assert {(row.reducer, row.codec) for row in differences} == {("learned", "float32"), ("learned", "int8")}
    best = max(row.value for (name, codec), row in rows.items() if name.startswith("pca") and codec == "int8")
    paired = next(row for row in differences if (row.metric, row.codec) == ("overlap@10", "int8"))
    assert paired.value == pytest.approx(rows["learned", "int8"].value - best)
    projhead("report", f"results={root / 'coded'}", f"out={root / 'coded-report'}", root=root)
    assert "bytes per vector" in (root / "coded-report" / "index.html").read_text()


def test_export_writes_students_that_encode_and_evaluate_take(minilm: MiniLM, run: Path, root: Path) -> None:
    corpus = ["corpus=file", f"corpus.path={root / 'texts.txt'}"]
    for kind in ("onnx", "sentence_transformers"):
        projhead("export", "encoder.max_seq_length=32", f"artifact={run / 'artifact'}", *corpus, f"export={kind}",
                 f"out={root / kind}", root=root)  # fmt: skip
    student = ["encoder=exported", f"encoder.path={root / 'sentence_transformers'}"]
    projhead("encode", *student, *corpus, f"out={root / 'by-student'}", "store_dtype=float32", root=root)
    teacher = ["encoder.max_seq_length=32", f"artifact={run / 'artifact'}"]
    projhead("encode", *teacher, *corpus, f"out={root / 'by-teacher'}", "store_dtype=float32", root=root)
    by_student, by_teacher = (EmbeddingStore.open(root / name).rows for name in ("by-student", "by-teacher"))
    np.testing.assert_allclose(by_student, by_teacher, atol=1e-5)
    folders = [root / "onnx", root / "sentence_transformers"]
    rows = compare(folders, [NeighborOverlap(str(root / "texts.txt"))], teacher=minilm).rows
    overlap = {row.reducer: row.value for row in rows if row.metric == "overlap@10"}
    assert overlap["export:onnx"] == pytest.approx(overlap["export:sentence_transformers"], abs=1e-3)
    assert 0.1 < overlap["export:onnx"] < 0.9


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


def test_a_killed_training_goes_on_to_the_same_metric(root: Path) -> None:
    def arguments(name: str) -> list[str]:
        return ["train", "encoder=precomputed", f"encoder.path={root / 'vectors.npy'}", "n_components=6",
                "trainer.max_steps=300", "reducer.blend=1", *SMALL,
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


def test_a_head_trained_through_its_codec_becomes_a_faiss_index_of_these_codes(root: Path) -> None:
    vectors = ["encoder=precomputed", f"encoder.path={root / 'vectors.npy'}"]
    run = root / "through-codec"
    said = projhead(
        "train", *vectors, "n_components=24", "head=linear", "codec=pq:4",
        "trainer.max_steps=20", f"run_dir={run}", root=root,
    )  # fmt: skip
    assert "through pq_4: 4 bytes a vector" in said
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
