"""The verbs as a user types them, on real text with the real teacher, in small."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from tests.verbs import projhead

from projhead.encoders.minilm import MiniLM
from projhead.evaluation.compare import compare
from projhead.report.results import read_results
from projhead.store.store import EmbeddingStore
from projhead.tasks.neighbor_overlap import NeighborOverlap

pytestmark = pytest.mark.slow

SUBJECTS = ("the harbour", "a violin", "our garden", "the old library", "her bicycle", "the football team", "this soup")
VERBS = ("was painted by", "belongs to", "was repaired for", "is admired by", "was forgotten by", "was sold to")
OBJECTS = ("a retired doctor", "the new teacher", "two tourists", "my neighbor", "a famous singer", "the mayor")
TEXTS = [f"{subject} {verb} {thing}".capitalize() for subject in SUBJECTS for verb in VERBS for thing in OBJECTS]


#: Steps of a moment.
SMALL = ["reducer.steps_per_epoch=10", "reducer.n_documents=64", "reducer.n_queries=16", "reducer.n_anchors=16"]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("projhead")
    (folder / "texts.txt").write_text("\n".join(TEXTS))
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
    said = projhead(*same, "n_components=16", root=root, status=2)
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
