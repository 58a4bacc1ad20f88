"""Measure each way to hold vectors at a target: its bytes, its price and what it keeps."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from tqdm import tqdm

from projhead.codecs.base import BaseCodec, fitted_copy
from projhead.data import Scores
from projhead.evaluation.bootstrap import Estimate, bootstrap
from projhead.evaluation.estimates import estimate
from projhead.evaluation.sample import TOP_K
from projhead.evaluation.target import Form, Target
from projhead.persistence.registry import build
from projhead.reducers.base import Reducer
from projhead.settings.options import option
from projhead.vectors import Vectors, exact_top_k

#: What is changed, the least first.
KINDS = ("nothing", "bits", "PCA", "head")


@dataclass(frozen=True)
class Choice:
    """One way to hold the rows.

    Attributes
    ----------
    kind : str
        Of `KINDS`.
    reducer : str
        What made the rows; empty for the teacher's own.
    width : int
    form : Form
    row_bytes, memory : int
        Of a row in memory, and of all.
    money : float or None
        A month, where prices are known.
    scores : Scores
        The share of its nearest neighbors that each query finds.
    kept : Estimate
        Their mean, on the sample.
    estimated : float
        For all rows.
    """

    kind: str
    reducer: str
    width: int
    form: Form
    row_bytes: int
    memory: int
    money: float | None
    scores: Scores
    kept: Estimate
    estimated: float


@dataclass(frozen=True)
class Asked:
    """What a plan is for: so many rows, the memory for them, the recall to reach, and prices a month."""

    rows: int
    memory: int
    recall: float
    price_per_dimension: float | None = None
    price_per_gb: float | None = None

    def money(self, width: int, memory: int) -> float | None:
        """Return what rows of a width that take some memory cost."""
        if self.price_per_dimension is None and self.price_per_gb is None:
            return None
        return (self.price_per_dimension or 0) * self.rows * width + (self.price_per_gb or 0) * memory / 1e9


def choices(
    target: Target,
    asked: Asked,
    learn: Vectors,
    rows: Vectors,
    queries: Vectors,
    reducers: Sequence[Reducer | None],
    changed: str = "PCA",
) -> Iterator[Choice]:
    """Measure every reducer in every form that the target has for its width.

    Parameters
    ----------
    target : Target
    asked : Asked
    learn : ndarray of shape (m, d), float32
        Unit rows that codecs are fitted to.
    rows, queries : ndarray of shape (n, d), (q, d), float32
        Unit rows that are searched, and that search.
    reducers : sequence of Reducer or None
        Fitted, a width each; None for the rows as they are.
    changed : str
        What those reducers are, of `KINDS`.
    """
    quarter = len(rows) // 4
    truths = [exact_top_k(queries, part, TOP_K)[1] for part in (rows, rows[:quarter])]
    width_of = {id(one): learn.shape[1] if one is None else one.n_components_ for one in reducers}
    tried = [(one, form) for one in reducers for form in target.forms if form.takes(width_of[id(one)])]
    for one, form in (bar := tqdm(tried, desc="plan", unit="way", leave=False)):
        width, reducer = width_of[id(one)], "" if one is None else one.kind
        bar.set_postfix_str(f"{width} {form.codec}")
        fitting, held, asking = (part if one is None else one.transform(part) for part in (learn, rows, queries))
        try:
            codec = fitted_copy(_codec(form), fitting)
        except ValueError:  # such as a product quantizer of another width
            continue
        hits = [
            _hits(codec, held[:end], asking, truth, form)
            for end, truth in zip((len(rows), quarter), truths, strict=True)
        ]
        scores = Scores("plan", f"recall@{TOP_K}", hits[0])
        kept, row_bytes = bootstrap(scores), form.row_bytes(codec, width)
        expected, memory = estimate(kept.value, hits[1].mean(), asked.rows / len(rows)), row_bytes * asked.rows
        unchanged = "nothing" if form.codec == target.alone(width) else "bits"
        kind, money = changed if reducer else unchanged, asked.money(width, memory)
        yield Choice(kind, reducer, width, form, row_bytes, memory, money, scores, kept, expected)


def _codec(form: Form) -> BaseCodec:
    codec: BaseCodec = build(option("codec", form.codec), "codec")
    return codec


def _hits(codec: BaseCodec, rows: Vectors, queries: Vectors, truth: np.ndarray, form: Form) -> np.ndarray:
    """Return the share of each query's nearest rows that codes find, compared again by the rows where that is so."""
    asking = codec.decode(codec.encode(queries)) if form.coded_queries else queries
    found = exact_top_k(asking, codec.decode(codec.encode(rows)), TOP_K * max(form.rescored, 1))[1]  # (q, candidates)
    if form.rescored:
        again = np.einsum("qd,qcd->qc", queries, rows[found])
        found = np.take_along_axis(found, np.argsort(-again, axis=1)[:, :TOP_K], axis=1)
    return np.array([len(np.intersect1d(one, other)) / TOP_K for one, other in zip(found, truth, strict=True)])
