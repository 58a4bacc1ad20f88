"""How ``projhead train`` ends: baselines, the table, the artifacts."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from hydra.utils import instantiate
from omegaconf import DictConfig

from projhead.codecs.base import BaseCodec, fitted_copy, sample_rows
from projhead.data import Scores
from projhead.evaluation.candidates import Candidate, result_rows, teacher_of
from projhead.evaluation.results import Result, append_results
from projhead.protocols import Encoder
from projhead.reducers.artifact import Teacher
from projhead.reducers.base import Reducer
from projhead.report.tables import markdown
from projhead.vectors import Vectors, neighbor_overlap

_TOP_K = (1, 10, 100)


def finish(
    cfg: DictConfig,
    folder: Path,
    encoder: Encoder,
    reducer: Reducer,
    train: Any,
    test: Vectors,
    own: Vectors,
    codec: BaseCodec | None,
) -> None:
    """Fit the baselines, compare, save. `test` are the teacher's rows of the held-out texts, `own` the encoder's."""
    baselines: dict[str, Reducer] = {name: instantiate(baseline) for name, baseline in cfg.baselines.items()}
    for baseline in baselines.values():
        baseline.fit(train)
    teacher = teacher_of(encoder)
    widths = [*getattr(reducer, "nested", ()), cfg.n_components]
    cut = {width: (reducer.prefix(width), {n: one.prefix(width) for n, one in baselines.items()}) for width in widths}
    measure = partial(_compare, train=train, test=test, own=own, teacher=teacher, codec=codec, seed=cfg.seed)
    rows = [row for head, rivals in cut.values() for row in measure(head, rivals)]
    (folder / "results.jsonl").unlink(missing_ok=True)
    append_results(folder / "results.jsonl", rows)
    # The artifact comes last: where it exists, all of the run does.
    for width, (head, rivals) in cut.items():
        part = folder if width == cfg.n_components else folder / "nested" / str(width)
        for name, rival in rivals.items():
            rival.save(part / "baselines" / name, teacher=teacher)
        if head.codec_ is not None:
            head.codec_.save(part / "codec")
        card = f"# projhead artifact: {head.kind}, {teacher.name}, {train.shape[1]} -> {width}\n\n"
        if history := getattr(head, "history_", ""):
            card += f"Trained {history}.\n\n"
        head.save(part / "artifact", teacher=teacher, card=card + markdown(rows))


def expect_held_out(n: int) -> None:
    """Refuse, before anything is trained, to compare reducers on too few rows.

    Raises
    ------
    ValueError
        If there are not two: the one has no neighbor.
    """
    if n < 2:
        raise ValueError(
            f"expected at least 2 held-out vectors to compare reducers on, got {n}; "
            "give more texts, or hold out more of them with corpus.test_fraction=0.2"
        )


def _compare(
    reducer: Reducer,
    baselines: dict[str, Reducer],
    *,
    train: Any,
    test: Any,
    own: Vectors,
    teacher: Teacher,
    codec: BaseCodec | None,
    seed: int,
) -> list[Result]:
    """Measure how much of the held-out vectors' neighborhoods each reducer keeps; all are stored in the codec."""
    top_k = [k for k in _TOP_K if k < len(test)]

    def system(name: str, fitted: Reducer, rivals: Sequence[Candidate] = ()) -> Candidate:
        queries = documents = fitted.transform(own)
        stored_as, size = "float32", None
        if codec is not None:
            stored = fitted.codec_ or fitted_copy(codec, fitted.transform(sample_rows(train)))
            documents = stored.decode(stored.encode(queries))
            stored_as, size = codec.name, codec.bytes_per_vector(fitted.n_components)
        overlap = neighbor_overlap(test, documents, top_k, queries=queries)
        samples = [Scores("held-out", f"overlap@{k}", overlap[:, i].astype(np.float64)) for i, k in enumerate(top_k)]
        return Candidate(name, fitted.n_components, seed, samples, rivals, stored_as, size)

    others = [system(name, fitted) for name, fitted in baselines.items()]
    rivals = [one for one in others if one.reducer.startswith("pca")]
    if reducer.kind in baselines:  # a baseline was asked for: it is in the table already
        return result_rows(others, teacher)
    return result_rows([system(reducer.kind, reducer, rivals), *others], teacher)
