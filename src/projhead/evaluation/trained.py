"""End a training: fit baselines, print the table, save artifacts."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from projhead.codecs.base import BaseCodec
from projhead.evaluation.held_out import held_out
from projhead.persistence.identity import EncoderIdentity
from projhead.reducers.base import Reducer
from projhead.reducers.learned import LearnedReducer
from projhead.report.comparison import Comparison
from projhead.vectors import Vectors

#: What the tables of a card are to be read for.
_JUDGED = {
    "rows": "Rows held out look for each other, as rows to come will.\n\n",
    "index": "It was trained for the rows that are searched: the table in which rows held out look among those is its "
    "own. In the other they look for each other, for which `reducer.purpose=unseen` trains.\n\n",
}


def compare_and_save(
    folder: Path,
    reducer: Reducer,
    baselines: Mapping[str, Reducer],
    train: Any,
    test: Vectors,
    *,
    teacher: EncoderIdentity,
    student_rows: Vectors | None = None,
    codec: BaseCodec | None = None,
    seed: int = 0,
) -> Comparison:
    """Compare a trained reducer with baselines on held-out rows, and save all of them.

    Parameters
    ----------
    folder : path
        For ``artifact/``, ``baselines/``, ``results.jsonl``, and ``nested/<width>/`` of
        heads that serve at several widths.
    reducer : Reducer
        Fitted.
    baselines : mapping of name to Reducer
        Not fitted, of the same width.
    train : array of shape (m, e)
        The rows that the reducer was fitted to.
    test : ndarray of shape (n, d), float32
        Unit rows of the teacher that it was not.
    teacher : EncoderIdentity
        The encoder whose rows the reducer takes.
    student_rows : ndarray of shape (n, e), optional
        That encoder's rows of the held-out texts, where it is not the one that gave `test`.
    codec : BaseCodec, optional
        How documents are stored.
    seed : int
        For the result rows.
    """
    for baseline in baselines.values():
        baseline.fit(train)
    widths = [*reducer.nested, reducer.n_components]
    cut = {width: (reducer.prefix(width), {n: one.prefix(width) for n, one in baselines.items()}) for width in widths}
    searched = train if student_rows is None and reducer.training_.get("purpose") == "index" else None
    measured = partial(
        held_out,
        test=test,
        teacher=teacher,
        student_rows=student_rows,
        train=train,
        codec=codec,
        searched=searched,
        seed=seed,
    )
    rows = []
    for head, others in cut.values():
        rows += measured([*([] if head.kind in others else [head]), *others.values()]).rows
    found = Comparison(rows)
    (folder / "results.jsonl").unlink(missing_ok=True)
    found.save(folder / "results.jsonl")
    # The artifact comes last: where it exists, all of the run does.
    for width, (head, others) in cut.items():
        part = folder if width == reducer.n_components else folder / "nested" / str(width)
        for name, baseline in others.items():
            baseline.save(part / "baselines" / name, teacher=teacher)
        card = f"# projhead artifact: {head.kind}, {teacher.name}, {train.shape[1]} -> {width}\n\n"
        if isinstance(head, LearnedReducer):
            card += f"Trained {head.summary_}.\n\n"
        card += _JUDGED["rows" if searched is None else "index"]
        head.save(part / "artifact", teacher=teacher, card=f"{card}{found}")
    return found
