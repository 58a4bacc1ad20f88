"""Train the heads that come with projhead, and write what they keep of text that they have not seen.

    python scripts/quality/ready.py VECTORS [--encoder minilm] [--widths 64 128] [--test FOLDER SET...]
    python scripts/quality/ready.py --few VECTORS... [--encoder minilm] [--widths 64 128]

They are trained on text that every machine has and that may be shipped: docstrings of the installed packages (summaries
and bodies) and the words of the teacher's tokenizer. VECTORS is a folder that keeps the teacher's vectors of it. With
--test, retrieval sets (whose vectors FOLDER keeps) and nothing of which was trained on are measured, beside PCA in
every form fitted to the same text; each card shows every set, the worst one, and the rows that were lost. Writes
checkpoints/ready/<teacher>-<width>, weights in float16. With --few nothing is trained to be shipped: what is there is
measured beside heads and forms of PCA that are fitted to a few rows of a user's own, vectors of any text (.npy), on
others of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import product
from pathlib import Path

import numpy as np
from harness import Model, collection, other_baselines, parsed, parser, pca_forms, timed, write

from projhead import LearnedReducer, load_reducer
from projhead.corpora.docstrings import Docstrings
from projhead.corpora.vocabulary import Vocabulary
from projhead.data import Scores
from projhead.encoders.precomputed import Precomputed
from projhead.evaluation.measurements import Measurement, result_rows
from projhead.heads.residual_mlp import ResidualMLP
from projhead.reducers.base import Reducer
from projhead.report.results import Result, read_results
from projhead.report.tables import markdown
from projhead.vectors import neighbor_overlap, unit_rows

#: A small hidden layer carries as far to other texts as a large one, and makes a small file.
HIDDEN = 512
#: Rows of a user's own, rows measured, and neighborhoods.
FEW, HELD_OUT, TOP_K = (300, 1000), 3000, (10, 100)


def shipped_texts() -> list[str]:
    """Return docstrings and words."""
    documents = Docstrings(max_train=9000, max_test=3000, max_words=60).pairs("all")
    words = Vocabulary(bags=0).documents("all")
    return [*(one.body for one in documents), *(one.summary for one in documents), *(one.text for one in words)]


def card(name: str, rows: list[Result], n: int) -> str:
    """Return what a stranger has to know: trained on what, and where it loses."""
    differences = [row for row in rows if row.baseline and row.role == "subject"]
    worst = min(differences, key=lambda row: row.value, default=None)
    lost = [row for row in differences if row.high < 0]
    said = [
        f"# {name}",
        f"A head for strangers: trained on {n:,} docstrings of installed Python packages and words of a tokenizer, "
        "nothing of the sets below. Trained on your own texts a head keeps far more.",
    ]
    if worst is not None:
        said.append(
            f"Worst set: {worst.task}, {worst.metric} {worst.value:+.3f} [{worst.low:+.3f}, {worst.high:+.3f}] to "
            f"{worst.baseline}. Rows lost with the interval clear of zero: "
            + (", ".join(f"{row.task} ({row.value:+.3f} to {row.baseline})" for row in lost) or "none")
            + "."
        )
    return "\n\n".join([*said, *([markdown(rows)] if rows else [])])


def few(path: Path, teacher: str, k: int, seed: int) -> Iterator[list[Result]]:
    """Yield the rows of the head that is shipped, beside what is fitted to so many of some vectors."""
    vectors = Precomputed(str(path), similarity="cosine")
    order = np.random.default_rng(seed).permutation(len(vectors.rows))
    test = unit_rows(vectors.rows[np.sort(order[:HELD_OUT])])
    for n in FEW:
        own = vectors.rows[np.sort(order[HELD_OUT : HELD_OUT + n])]

        def measured(name: str, one: Reducer, others: Sequence[Measurement] = (), n: int = n) -> Measurement:
            kept = neighbor_overlap(test, one.transform(test), TOP_K).astype(np.float64)
            scores = [
                Scores(f"unseen/{path.stem}, {n} rows of one's own", f"overlap@{top}", kept[:, column])
                for column, top in enumerate(TOP_K)
            ]
            return Measurement(name, k, seed, scores, others, role="subject" if others else "baseline")

        fitted = [one.fit(own) for one in (LearnedReducer(k, random_state=seed), *pca_forms(k))]
        others = [measured(one.kind, one) for one in fitted]
        ready = load_reducer(f"{teacher}-{k}")
        yield result_rows([*others, measured("ready", ready, others)], ready.teacher_)


def main() -> None:
    made = parser(__doc__, "ready.jsonl")
    made.add_argument("vectors", type=Path, nargs="+")
    made.add_argument("--few", action="store_true", help="measure what is shipped, beside fits to few rows")
    made.add_argument("--encoder", default="minilm")
    made.add_argument("--widths", type=int, nargs="+", default=[64, 128])
    made.add_argument("--test", nargs="+", default=[])
    made.add_argument("--to", type=Path, default=Path("checkpoints/ready"))
    args = parsed(made)
    model = Model(args.encoder)
    if args.few:
        for path, k, seed in product(args.vectors, args.widths, args.seeds):
            for rows in few(path, model.teacher.name, k, seed):
                write(args.out, rows)
        print(markdown(read_results(args.out)))
        return
    texts = shipped_texts()
    train = model.rows(args.vectors[0] / "shipped.npy", texts)
    teacher = model.encoder.identity
    sets = [collection([path], Path(args.test[0]), args.encoder) for path in args.test[1:]]
    full = [scores for one in sets for scores in one.scores()]
    for k in args.widths:
        head = LearnedReducer(
            k, purpose="unseen", head=partial(ResidualMLP, hidden_features=HIDDEN), random_state=args.seeds[0]
        )
        fitted, minutes = timed(partial(head.fit, np.asarray(train)))
        measured = [Measurement("teacher", teacher.dimension, 0, full, role="reference")]
        others = [
            Measurement(one.kind, k, 0, [s for c in sets for s in c.scores(one.fit(train))], role="baseline")
            for one in (*pca_forms(k), *other_baselines(k))
        ]
        found = [scores for one in sets for scores in one.scores(fitted)]
        measured += [Measurement("learned", k, args.seeds[0], found, others), *others]
        rows = result_rows(measured, teacher) if sets else []
        write(args.out, rows, minutes)
        name = f"{teacher.name}-{k}"
        fitted.save(args.to / name, teacher=teacher, half=True, card=card(name, rows, len(texts)))
        print(card(name, rows, len(texts)), head.summary_, flush=True)


if __name__ == "__main__":
    main()
