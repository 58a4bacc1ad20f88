"""An encoder that moves: every layer of the teacher trained on with the head, beside the head alone.

    python scripts/quality/moving.py VECTORS SET... [--encoder minilm] [--widths 32] [--seeds 0 1 2]
                                     [--set student.trainer.max_steps=2000 ...]

What ``projhead train student=layers`` does, with as many layers as the teacher has, from the head that is trained alone
first; SET and VECTORS are as in ``scripts/quality/retrieval.py``, all sets are one corpus. Documents and queries are
encoded anew by the encoder that moved. Appends rows to docs/results/moving.jsonl, those that are there are not made
again; the moved encoder is paired with the head alone, and its minutes are those of both.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any, NamedTuple, cast

from harness import Collection, collection, done, parsed, sets_parser, timed, write
from hydra.utils import instantiate

from projhead import LearnedReducer, load_encoder
from projhead.commands.compose import composed
from projhead.encoders.sentence_transformer import SentenceTransformerEncoder
from projhead.evaluation.measurements import Measurement, result_rows
from projhead.report.results import Result, read_results
from projhead.report.tables import markdown
from projhead.students.distill import Texts


class Moved(NamedTuple):
    """An encoder that was trained on, the head that was with it, and minutes of one core."""

    encoder: SentenceTransformerEncoder
    head: LearnedReducer
    minutes: float


def moved(
    teacher: SentenceTransformerEncoder, head: LearnedReducer, given: Collection, settings: list[str], place: Path
) -> Moved:
    """Train all of the teacher's layers on, the head with them."""
    network: Any = teacher.model[0]
    layers = network.auto_model.config.num_hidden_layers
    asked = ["student=layers", f"student.start.layers={layers}", f"seed={head.random_state}", *settings]
    student = instantiate(composed("train", asked, place).student, _convert_="all")
    texts = Texts(given.texts.documents, given.documents, given.texts.sentences, given.sentences)
    (encoder, trained), minutes = timed(lambda: student.fit(teacher, head, texts, place / "encoder"))
    return Moved(encoder, trained, minutes)


def seed_rows(
    teacher: SentenceTransformerEncoder, given: Collection, k: int, seed: int, settings: list[str]
) -> tuple[list[Result], float]:
    """Return the rows of one seed, and the minutes of its fits."""
    head, minutes = timed(lambda: LearnedReducer(k, random_state=seed).fit(given.documents, queries=given.sentences))
    alone = Measurement("learned", k, seed, given.scores(head), role="baseline")
    with tempfile.TemporaryDirectory() as place:
        found = moved(teacher, head, given, settings, Path(place))
        documents, *queries = (
            found.head.transform(found.encoder.encode(texts, show_progress=True))
            for texts in (given.texts.documents, *given.texts.queries.values())
        )
    scores = given.scores_of(documents, dict(zip(given.queries, queries, strict=True)))
    rows = result_rows([alone, Measurement("moving", k, seed, scores, [alone])], given.teacher)
    return rows, minutes + found.minutes


def main() -> None:
    made = sets_parser(__doc__, "moving.jsonl")
    made.add_argument("--widths", type=int, nargs="+", default=[32])
    made.add_argument("--set", nargs="*", default=[], metavar="KEY=VALUE", help="settings of projhead train")
    args: argparse.Namespace = parsed(made)
    given = collection(args.sets, args.vectors, args.encoder)
    teacher = cast("SentenceTransformerEncoder", load_encoder(given.teacher.name))
    tasks = [f"retrieval/{name}" for name in given.queries]
    for k, seed in ((k, seed) for k in args.widths for seed in args.seeds):
        if any((task, k, seed, "moving") not in done(args.out) for task in tasks):
            rows, minutes = seed_rows(teacher, given, k, seed, args.set)
            write(args.out, rows, minutes)
            gains = ", ".join(f"{row.task} {100 * row.value:+.1f}" for row in rows if row.baseline)
            print(f"{k}, seed {seed}: {gains}; {minutes:.1f} minutes", flush=True)
    print(markdown(read_results(args.out)))


if __name__ == "__main__":
    main()
