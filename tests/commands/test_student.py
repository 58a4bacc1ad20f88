"""`train student=...`, in one process and on a tiny teacher."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from tests.verbs import projhead

from projhead.encoders.reduced import Reduced
from projhead.encoders.sentence_transformer import SentenceTransformerEncoder
from projhead.evaluation.compare import compare
from projhead.reducers.base import load_reducer
from projhead.report.results import read_results
from projhead.tasks.neighbor_overlap import NeighborOverlap

Draw = Callable[[int, int, int], list[str]]

HEAD = ["n_components=8", "reducer.n_documents=64", "trainer.max_steps=20", "trainer.accelerator=cpu"]
STUDENT = ["student.trainer.max_steps=20", "student.trainer.accelerator=cpu", "student.steps_per_epoch=10"]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory, few_words: Draw) -> Path:
    path = tmp_path_factory.mktemp("corpus") / "texts.txt"
    path.write_text("\n".join(sorted(set(few_words(500, 3, 12)))))
    return path


def test_a_smaller_student_is_an_encoder_and_an_artifact_for_every_other_verb(
    teacher: SentenceTransformerEncoder, corpus: Path, tmp_path: Path
) -> None:
    run, paths = tmp_path / "run", f"paths.root={tmp_path}"
    texts = ["corpus=file", f"corpus.path={corpus}", "corpus.test_fraction=0.3"]
    original = ["encoder=sentence_transformer", f"encoder.path={teacher.path}"]
    train = [*original, *texts, *HEAD, *STUDENT, "student=layers", "student.start.layers=2", paths]
    said = projhead("train", *train, f"run_dir={run}")
    own = ["encoder=sentence_transformer", f"encoder.path={run / 'encoder'}", f"artifact={run / 'artifact'}"]
    assert f"projhead evaluate {' '.join(own)}" in said
    small = SentenceTransformerEncoder(str(run / "encoder"), device="cpu")
    assert small.model[0].auto_model.config.num_hidden_layers == 2
    assert len(teacher.model[0].auto_model.encoder.layer) == 4
    measured = {row.reducer for row in read_results(run / "results.jsonl")}
    assert {"learned", "pca", "pca_uncentered"} <= measured
    assert "is finished already" in projhead("train", *train, f"run_dir={run}")

    projhead("export", *own, *texts, "export=sentence_transformers", f"out={tmp_path / 'st'}", paths)
    projhead("evaluate", *own, "task=neighbor_overlap", f"task.neighbor_overlap.path={corpus}",
             "task.neighbor_overlap.top_k=[10]", paths)  # fmt: skip
    # Beside the teacher that it comes from, the exported student is measured in full-width retention.
    tasks = [NeighborOverlap(str(corpus), top_k=[10])]
    rows = compare([run / "teacher" / "artifact", tmp_path / "st"], tasks, teacher=teacher).rows
    values = {row.reducer: row.value for row in rows if not row.baseline}
    assert values["teacher"] == 1
    assert 0.2 < values["export:st"] < values["learned"] < 1


def test_vectors_made_elsewhere_teach_another_encoder(
    small: SentenceTransformerEncoder, corpus: Path, tmp_path: Path, rows: np.ndarray
) -> None:
    words = {word: rows[number] for number, word in enumerate(sorted(set(corpus.read_text().split())))}
    texts = corpus.read_text().splitlines()
    np.save(tmp_path / "vectors.npy", np.array([np.sum([words[w] for w in text.split()], axis=0) for text in texts]))
    given = ["encoder=precomputed", f"encoder.path={tmp_path / 'vectors.npy'}", "encoder.similarity=cosine"]
    student = [
        *STUDENT,
        "student=pretrained",
        f"student.start.path={small.path}",
        "student.start.local_files_only=true",
    ]
    run = tmp_path / "run"
    said = projhead("train", *given, *HEAD, *student, f"run_dir={tmp_path / 'refused'}", status=2)
    assert "or their file (encoder.texts=" in said
    projhead("train", *given, f"encoder.texts={corpus}", *HEAD, *student, f"run_dir={run}")
    encoder = SentenceTransformerEncoder(str(run / "encoder"), device="cpu")
    assert encoder.dimension == 16
    assert Reduced(encoder, load_reducer(run / "artifact")).encode(texts[:3]).shape == (3, 8)
    assert load_reducer(run / "teacher" / "artifact").n_features_in_ == 32


def test_what_no_student_follows_is_refused_before_anything_is_computed(corpus: Path, tmp_path: Path) -> None:
    texts = ["corpus=file", f"corpus.path={corpus}", "student=layers", f"paths.root={tmp_path}"]
    for what, got in ((["reducer=pca"], "pca"), (["codec=int8"], "learned with one")):
        said = projhead("train", *texts, *what, f"run_dir={tmp_path / got}", status=2)
        assert f"expected reducer=learned without a codec, got {got};" in said
    assert not (tmp_path / "stores").exists()
