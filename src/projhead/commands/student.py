"""The second half of ``projhead train student=...``: a smaller network under the head."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from hydra.utils import instantiate
from omegaconf import DictConfig

from projhead.encoders.lifted import expect_none
from projhead.encoders.precomputed import Precomputed
from projhead.evaluation.trained import compare_and_save
from projhead.protocols import Encoder
from projhead.reducers.learned import LearnedReducer
from projhead.students.distill import Distilled, Texts
from projhead.training.checkpoints import last_checkpoint
from projhead.vectors import Vectors

#: Documents that the baselines on the small encoder's own vectors are fitted to, at most.
_BASELINE_ROWS = 4096


def check_student(cfg: DictConfig, encoder: Encoder) -> None:
    """Raise ValueError, before anything is computed, where no smaller student can follow."""
    kind = instantiate(cfg.reducer).kind
    if kind != "learned" or cfg.codec is not None:
        raise ValueError(
            f"student: expected reducer=learned without a codec, got {kind}{'' if cfg.codec is None else ' with one'}; "
            "train the student first, then what you like on it: encoder=sentence_transformer encoder.path=<run>/encoder"
        )
    expect_none(encoder, "student")
    if isinstance(encoder, Precomputed) and not encoder.has_texts:
        raise ValueError(
            "student: expected texts to train it on, got vectors without; name the column of the texts "
            "(encoder.text_column=...) or their file (encoder.texts=<file>)"
        )


def train_student(
    cfg: DictConfig,
    teacher: Encoder,
    reducer: LearnedReducer,
    texts: Texts,
    test_texts: Sequence[str],
    test: Vectors,
    folder: Path,
) -> None:
    """Distill a small encoder, or go on with it; compare its reduced rows and its own PCA forms with the teacher's."""
    resume = last_checkpoint(folder / "checkpoints" / "student")
    student: Distilled = instantiate(cfg.student, _convert_="all")
    print(f"distill a student on {len(texts.documents) + len(texts.queries):,} texts")
    small, fitted = student.fit(teacher, reducer, texts, folder / "encoder", resume=resume)
    student_rows = small.encode_document(test_texts, show_progress=True)
    train = small.encode_document(texts.documents[:_BASELINE_ROWS], show_progress=True)
    baselines = {name: instantiate(baseline) for name, baseline in cfg.baselines.items()}
    compare_and_save(
        folder, fitted, baselines, train, test, teacher=small.identity, student_rows=student_rows, seed=cfg.seed
    )
    print(f"\nencoder: {folder / 'encoder'}, with the teacher's own head beside it: {folder / 'teacher' / 'artifact'}")
