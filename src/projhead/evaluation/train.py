"""Train from the teacher's vectors to tables and artifacts: a head, or a smaller network with one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from projhead.codecs.base import BaseCodec
from projhead.encoders.precomputed import Precomputed
from projhead.evaluation.trained import compare_and_save
from projhead.persistence.record import read_record
from projhead.protocols import Encoder
from projhead.reducers.base import Reducer, load_reducer
from projhead.reducers.learned import LearnedReducer
from projhead.reducers.spectrum import one_pass
from projhead.report.comparison import Comparison
from projhead.report.results import read_results
from projhead.students.distill import Distilled
from projhead.students.teacher_vectors import TeacherVectors
from projhead.training.checkpoints import last_checkpoint
from projhead.training.processes import rank
from projhead.vectors import unit_rows

#: Documents that the baselines on the small encoder's own vectors are fitted to, at most.
_BASELINE_ROWS = 4096


def train_head(
    folder: Path,
    reducer: Reducer,
    vectors: TeacherVectors,
    baselines: Mapping[str, Reducer],
    *,
    teacher: Encoder,
    codec: BaseCodec | None = None,
    resume: Path | None = None,
    max_test_rows: int = 10_000,
    seed: int = 0,
) -> Reducer:
    """Fit a reducer, compare it with baselines on held-out rows, and save all of them.

    Where several processes train one head, all but the first end when it is trained.

    Parameters
    ----------
    folder : path
        As in `compare_and_save`.
    reducer : Reducer
        Not fitted.
    vectors : TeacherVectors
    baselines : mapping of name to Reducer
        Not fitted, of the same width.
    teacher : Encoder
        What gave the vectors.
    codec : BaseCodec, optional
        What rows of the reducer are stored in: fitted to them, and tuned with it.
    resume : path, optional
        A checkpoint to go on from.
    max_test_rows : int
        Held-out rows that are compared, at most.
    seed : int
        For the result rows.

    Raises
    ------
    ValueError
        If a codec or a checkpoint is given to a reducer in closed form.
    """
    expect_trained(reducer, codec, resume)
    told = f"fit {reducer.kind}, {vectors.train.shape[1]} -> {reducer.n_components}, on {len(vectors.train):,} vectors"
    if vectors.queries is not None:
        told += f" and {len(vectors.queries):,} queries"
    if codec is not None:
        reducer.set_params(codec=codec)
        told += f", stored as {codec.name}: {codec.bytes_per_vector(reducer.n_components)} bytes a vector"
    print(told)
    with one_pass():  # for the start, what the head is judged against and all baselines
        if isinstance(reducer, LearnedReducer):
            reducer.fit(vectors.train, queries=vectors.queries, pairs=vectors.pairs, resume=resume)
            if rank():
                raise SystemExit(0)  # of several processes the first goes on alone
            print(reducer.summary_)
        else:
            reducer.fit(vectors.train)
        reducer.provenance_["corpus"] = dict(vectors.corpus)
        test = unit_rows(vectors.test[:max_test_rows])
        compare_and_save(
            folder, reducer, baselines, vectors.train, test, teacher=teacher.identity, codec=codec, seed=seed
        )
    return reducer


def expect_trained(reducer: Reducer, codec: BaseCodec | None, resume: Path | None) -> None:
    """Refuse a codec to train with, and a checkpoint to go on from, where nothing is trained.

    Raises
    ------
    ValueError
        If the reducer has a closed form.
    """
    if isinstance(reducer, LearnedReducer):
        return
    if codec is not None:
        raise ValueError(f"codec: expected reducer=learned to train with {codec.name}, got {reducer.kind}")
    if resume is not None:
        raise ValueError(f"ckpt_path: expected reducer=learned to go on with a checkpoint, got {reducer.kind}")


def expect_student(reducer: Reducer, codec: BaseCodec | None, teacher: Encoder) -> None:
    """Refuse, before anything is computed, what no smaller network can follow.

    Raises
    ------
    ValueError
        If the head is in closed form or trained with a codec, lengths of the teacher's rows matter, or there are no
        texts.
    """
    if not isinstance(reducer, LearnedReducer) or codec is not None:
        got = f"{reducer.kind}{'' if codec is None else ' with one'}"
        raise ValueError(
            f"student: expected reducer=learned without a codec, got {got}; "
            "train the student first, then what you like on it: encoder=sentence_transformer encoder.path=<run>/encoder"
        )
    if teacher.identity.longest:
        raise ValueError(
            f"student: expected a teacher of unit rows, got {teacher.name}, whose lengths matter: a smaller network "
            "would encode queries as it does documents; train the head alone (leave student= out) and export that"
        )
    if isinstance(teacher, Precomputed) and not teacher.has_texts:
        raise ValueError(
            "student: expected texts to train it on, got vectors without; name the column of the texts "
            "(encoder.text_column=...) or their file (encoder.texts=<file>)"
        )


def train_student(
    folder: Path,
    student: Distilled,
    reducer: LearnedReducer,
    vectors: TeacherVectors,
    baselines: Mapping[str, Reducer],
    *,
    teacher: Encoder,
    max_test_rows: int = 10_000,
    seed: int = 0,
) -> None:
    """Distill a small encoder, or go on with it, and compare it and its PCA forms with the teacher.

    Parameters are those of `train_head`; `reducer` is the teacher's, fitted.
    """
    resume = last_checkpoint(folder / "checkpoints" / "student")
    texts = vectors.texts
    print(f"distill a student on {len(texts.documents) + len(texts.queries):,} texts")
    small, fitted = student.fit(teacher, reducer, texts, folder / "encoder", resume=resume)
    student_rows = small.encode_document(vectors.test_texts[:max_test_rows], show_progress=True)
    train = small.encode_document(texts.documents[:_BASELINE_ROWS], show_progress=True)
    test = unit_rows(vectors.test[:max_test_rows])
    compare_and_save(
        folder, fitted, baselines, train, test, teacher=small.identity, student_rows=student_rows, seed=seed
    )
    print(f"\nencoder: {folder / 'encoder'}, with the teacher's own head beside it: {folder / 'teacher' / 'artifact'}")


def train(
    folder: Path,
    reducer: Reducer,
    vectors: TeacherVectors,
    baselines: Mapping[str, Reducer],
    *,
    student: Distilled | None = None,
    codec: BaseCodec | None = None,
    resume: Path | None = None,
    **options: Any,
) -> None:
    """Train a head, or a head and a smaller network under it; what was done before is not done again.

    Parameters are those of `train_head`. With a `student` the teacher's head comes first, and stays in ``teacher/``
    to be compared with.
    """
    expect_trained(reducer, codec, resume)
    resume = last_checkpoint(folder / "checkpoints") or resume
    if student is None:
        train_head(folder, reducer, vectors, baselines, codec=codec, resume=resume, **options)
        return
    expect_student(reducer, codec, options["teacher"])
    first, made = folder / "teacher", folder / "teacher" / "artifact"
    if made.exists():
        head = load_reducer(made)
    else:
        head = train_head(first, reducer, vectors, baselines, resume=resume, **options)
    assert isinstance(head, LearnedReducer)
    train_student(folder, student, head, vectors, baselines, **options)


class Finished(NamedTuple):
    """A training that is done.

    Attributes
    ----------
    folder : Path
    table : Comparison
    kept : float
        Share of the 10 nearest (or of the nearest, of few rows) that its reducer keeps on held-out rows.
    """

    folder: Path
    table: Comparison
    kept: float

    def __str__(self) -> str:
        artifact, small = self.folder / "artifact", self.folder / "encoder"
        encoder = f"encoder=sentence_transformer encoder.path={small} " if small.exists() else ""
        return (
            f"\n{self.table}\n\nartifact: {artifact}\n\n"
            f"measure it on tasks: projhead evaluate {encoder}artifact={artifact}"
        )


def finished(folder: Path) -> Finished:
    """Read what a training that is done has written.

    Raises
    ------
    FileNotFoundError, ValueError
        If it is not done, or its record is damaged.
    """
    rows = read_results(folder / "results.jsonl")
    record = read_record(folder / "artifact", "artifact", {"kind"})  # its weights are not needed
    own = (record.body["kind"], record.body["reducer"]["parameters"]["n_components"], "")
    # What the head was trained for stands first.
    found = {row.metric: row.value for row in rows[::-1] if (row.reducer, row.n_components, row.baseline) == own}
    kept = found.get("overlap@10", found["overlap@1"])  # fewer than 11 rows have no 10 neighbors
    return Finished(folder, Comparison(rows), kept)
