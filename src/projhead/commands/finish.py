"""How ``projhead train`` ends: baselines, the table, the artifacts."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from hydra.utils import instantiate
from omegaconf import DictConfig

from projhead.codecs.base import BaseCodec
from projhead.evaluation.held_out import held_out
from projhead.protocols import Encoder
from projhead.reducers.base import Reducer
from projhead.report.comparison import Comparison
from projhead.vectors import Vectors

#: What the tables of a card are to be read for.
_JUDGED = {
    "rows": "Rows held out look for each other, as rows to come will.\n\n",
    "index": "It was trained for the rows that are searched: the table in which rows held out look among those is its "
    "own. In the other they look for each other, for which `reducer.purpose=unseen` trains.\n\n",
}


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
    teacher = encoder.identity
    widths = [*getattr(reducer, "nested", ()), cfg.n_components]
    cut = {width: (reducer.prefix(width), {n: one.prefix(width) for n, one in baselines.items()}) for width in widths}
    searched = train if own is test and reducer.training_.get("purpose") == "index" else None
    measured = partial(
        held_out, test=test, teacher=teacher, own=own, train=train, codec=codec, searched=searched, seed=cfg.seed
    )
    rows = []
    for head, rivals in cut.values():
        rows += measured([*([] if head.kind in rivals else [head]), *rivals.values()]).rows
    found = Comparison(rows)
    (folder / "results.jsonl").unlink(missing_ok=True)
    found.save(folder / "results.jsonl")
    # The artifact comes last: where it exists, all of the run does.
    for width, (head, rivals) in cut.items():
        part = folder if width == cfg.n_components else folder / "nested" / str(width)
        for name, rival in rivals.items():
            rival.save(part / "baselines" / name, teacher=teacher)
        card = f"# projhead artifact: {head.kind}, {teacher.name}, {train.shape[1]} -> {width}\n\n"
        if summary := getattr(head, "summary_", ""):
            card += f"Trained {summary}.\n\n"
        card += _JUDGED["rows" if searched is None else "index"]
        head.save(part / "artifact", teacher=teacher, card=f"{card}{found}")
