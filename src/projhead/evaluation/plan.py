"""Advise nothing, bits, PCA or a head for vectors at a target, with the evidence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tabulate import tabulate

from projhead.evaluation.bootstrap import Estimate, paired_bootstrap
from projhead.evaluation.choices import KINDS, Asked, Choice, choices
from projhead.evaluation.estimates import size_of
from projhead.evaluation.sample import TOP_K, TeacherSample
from projhead.evaluation.target import Target
from projhead.reducers.base import Reducer, load_reducer
from projhead.reducers.learned import LearnedReducer
from projhead.reducers.pca import PCA

#: Heads are trained for widths up to this part of the teacher's: above it PCA keeps as much.
_NARROW = 3
#: So many times the rows that were searched, and estimates are called rough.
_ROUGH = 2000


@dataclass(frozen=True)
class Plan:
    """Ways to hold rows at a target, and which of them is advised.

    Attributes
    ----------
    choices : list of Choice
        Best first.
    chosen : Choice
    target : Target
    asked : Asked
    sample : TeacherSample
    measured : int
        Rows that were searched; as many others were learned from.
    """

    choices: list[Choice]
    chosen: Choice
    target: Target
    asked: Asked
    sample: TeacherSample
    measured: int

    def fits(self, one: Choice) -> bool:
        """Say whether a choice takes no more than the memory."""
        return self.target.hosted or one.memory <= self.asked.memory

    def reaches(self, one: Choice) -> bool:
        """Say whether a choice is estimated to find what is to be found."""
        return one.estimated >= self.asked.recall

    def difference(self, other: Choice) -> Estimate:
        """Return what the chosen way keeps more than another of the same queries' neighbors."""
        return paired_bootstrap(self.chosen.scores, other.scores)

    @property
    def verdict(self) -> str:
        """What is advised, and the next command."""
        one, asked = self.chosen, self.asked
        fits, reaches = self.fits(one), self.reaches(one)
        short = "" if reaches else f", below the {asked.recall:.0%} asked for, which nothing that fits reaches"
        short = short if fits else f"; nothing fits into {_size(asked.memory)}, and this is the smallest"
        dimensions = f"{one.width:,} dimensions as {one.form.codec}"
        said = {
            "nothing": f"nothing. {self.target.name} holds all {dimensions}, as it does when left alone",
            "bits": f"bits. Keep all {dimensions}",
            "PCA": f"PCA ({one.reducer}) to {dimensions}",
            "head": f"a head to {dimensions}",
        }[one.kind]
        how = one.form.how.replace("WIDTH", str(one.width))
        if one.kind == "head" and (rival := self.rival) is not None:
            short += f"; {_points(self.difference(rival))} points over the best that costs no more"
        train = "" if one.kind in ("nothing", "bits") else self._train(one)
        return f"verdict: {said}: {one.estimated:.1%} estimated{short}\nnext:    {train}{how}"

    def _train(self, one: Choice) -> str:
        of = "" if one.kind == "head" else f"reducer={one.reducer} "
        return f"projhead train {of}n_components={one.width} encoder=... corpus=...\n         "

    def best_of(self, kind: str) -> Choice | None:
        """Return the best choice of a kind, None where the target has none."""
        return next((one for one in self.choices if one.kind == kind), None)

    @property
    def rival(self) -> Choice | None:
        """What finds most of all that costs no more than the chosen one and is no head, None where nothing does."""
        others = [one for one in self.choices if one.kind != "head" and _cost(one) <= _cost(self.chosen)]
        return max(others, key=lambda one: one.kept.value, default=None)

    @property
    def table(self) -> str:
        """The best of each kind beside the chosen one, and beside a head what it had to beat."""
        shown = [self.chosen if kind == self.chosen.kind else self.best_of(kind) for kind in KINDS]
        if self.chosen.kind == "head" and self.rival not in shown:
            shown.append(self.rival)
        return self._table(shown)

    def __str__(self) -> str:
        name, teacher, _, queries = self.sample
        memory = "" if self.target.hosted else f", {_size(self.asked.memory)} of memory"
        notes = []
        if self.asked.rows > _ROUGH * self.measured:
            notes.append("From so few rows to so many the estimate is rough: give a larger sample.")
        if not self.best_of("head"):
            notes.append("No head was trained: there is nothing left for one to win.")
        return (
            f"{self.target.name}: {self.asked.rows:,} rows of {name}, {teacher.dimension:,} dimensions{memory}, "
            f"{self.asked.recall:.0%} of the {TOP_K} nearest\n\n{self.verdict}\n\n{self.table}\n\n"
            f"The best of each kind. Found: the share of the teacher's {TOP_K} nearest by {len(queries):,} queries "
            f"among {self.measured:,} rows, with its 95%\ninterval; codes, PCA and head learned from other rows. For "
            "all: estimated by the fall from a quarter of these rows to\nall of them. Difference: the verdict's less "
            "this one's, in points, paired. What a graph loses comes on top."
        ) + "".join(f"\n{note}" for note in notes)

    @property
    def all_choices(self) -> str:
        """Every choice, best first."""
        return self._table(self.choices)

    def _table(self, shown: Sequence[Choice | None]) -> str:
        lines = [self._line(one) for one in shown if one is not None]
        money = ["$ a month"] if self.chosen.money is not None else []
        header = ["", "dimensions", "as", "bytes a row", "memory", *money, "found", "for all", "difference", "fits"]
        return str(tabulate(lines, header, "github", disable_numparse=True))

    def _line(self, one: Choice) -> list[str]:
        kept = f"{one.kept.value:.1%} [{one.kept.low:.1%}, {one.kept.high:.1%}]"
        less = self.difference(one)
        points = "" if one is self.chosen else _points(less)
        money = [] if one.money is None else [f"{one.money:,.2f}" if one.money >= 1 else f"{one.money:.2g}"]
        codec = f"{one.form.codec}, rescored" if one.form.rescored else one.form.codec
        name = one.kind if one.kind in ("nothing", "bits") else f"{one.kind} ({one.reducer})"
        return [name, str(one.width), codec, f"{one.row_bytes:,}", _size(one.memory), *money, kept,
                f"{one.estimated:.1%}", points, "yes" if self.fits(one) else "no"]  # fmt: skip


def plan(
    sample: TeacherSample,
    target: Target,
    *,
    rows: int,
    memory: str = "8GB",
    recall: float = 0.95,
    price_per_dimension: float | None = None,
    price_per_gb: float | None = None,
    widths: Sequence[int] = (32, 64, 128, 256, 512, 1024),
    reducers: Sequence[Reducer | str | Path] = (),
) -> Plan:
    """Say whether rows need nothing, bits, PCA or a head at a target.

    Least is changed first: nothing where all rows fit as they are and enough is found, then codes of the full width,
    then fewer dimensions; with prices what is cheapest and finds enough. A head is advised only where it finds more
    than everything else that costs no more, by paired intervals that are above zero.

    Parameters
    ----------
    sample : TeacherSample
        Half of its rows is learned from, the other half searched.
    target : Target
    rows : int
        How many there will be.
    memory : str
        For the index: ``"32GB"``.
    recall : float
        The share of the teacher's nearest neighbors that is to be found.
    price_per_dimension, price_per_gb : float, optional
        Money a month for a dimension of a row, the target's own where not given, and for a GB of memory.
    widths : sequence of int
        Below the teacher's.
    reducers : sequence of Reducer or path
        Heads of that teacher; where none is given one is trained, unless less does.

    Raises
    ------
    ValueError
        If nothing can be held there, a reducer is of another teacher, or `memory` is no size.
    """
    price = target.price_per_dimension if price_per_dimension is None else price_per_dimension
    asked = Asked(rows, size_of(memory), recall, price, price_per_gb)
    order = np.random.default_rng(2).permutation(len(sample.rows))
    learn, rest = sample.rows[order[len(order) // 2 :]], sample.rows[order[: len(order) // 2]]
    known = [None, *_forms_of_pca(learn, widths, target.widest)]
    found = list(choices(target, asked, learn, rest, sample.queries, known))
    if reducers or not any(_settles(one, asked, target) for one in found):
        heads = _heads(sample, learn, widths, reducers)
        found += choices(target, asked, learn, rest, sample.queries, heads, changed="head")
    if not found:
        raise ValueError(f"{target.name}: expected a form for one of the widths, got none; widen widths=[...]")
    ranked = sorted(found, key=lambda one: _rank(one, asked, target))
    chosen = next(one for one in ranked if one.kind != "head" or _proven(one, ranked, asked, target))
    return Plan(ranked, chosen, target, asked, sample, len(rest))


def _settles(one: Choice, asked: Asked, target: Target) -> bool:
    """Say whether a choice leaves a head nothing to win, so that none need be trained."""
    fits = target.hosted or one.memory <= asked.memory
    return one.kind in ("nothing", "bits") and fits and one.estimated >= asked.recall and one.money is None


def _size(n: int) -> str:
    """Write bytes with three digits."""
    for unit, size in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6)):
        if n >= size:
            return f"{n / size:.3g} {unit}"
    return f"{n / 1e3:.3g} kB"


def _points(less: Estimate) -> str:
    return f"{100 * less.value:+.1f} [{100 * less.low:+.1f}, {100 * less.high:+.1f}]"


def _rank(one: Choice, asked: Asked, target: Target) -> tuple[float, ...]:
    """Return what sorts choices, the best first."""
    change = KINDS.index(one.kind)
    if not target.hosted and one.memory > asked.memory:
        return (2, one.memory, change)
    if one.estimated < asked.recall:
        return (1, -one.estimated, change)
    # Without prices least is changed; PCA and heads change as much as each other. Of forms alike the best.
    costs = (*_cost(one), change) if one.money is not None else (min(change, 2), one.memory, change)
    return (0, *costs, -one.estimated)


def _cost(one: Choice) -> tuple[float, int]:
    return (one.money or 0.0, one.memory)


def _proven(head: Choice, ranked: Sequence[Choice], asked: Asked, target: Target) -> bool:
    """Say whether a head finds more than all else that would do in its place, beyond doubt."""
    place = _rank(head, asked, target)[0]
    others = [one for one in ranked if one.kind != "head" and (target.hosted or one.memory <= asked.memory)]
    # Where enough is found cost decides; where not, what is found does.
    baselines = others if place == 1 else [one for one in others if _cost(one) <= _cost(head)]
    return all(paired_bootstrap(head.scores, one.scores).low > 0 for one in baselines)


def _forms_of_pca(learn: np.ndarray, widths: Sequence[int], widest: int | None) -> list[Reducer]:
    d = learn.shape[1]
    most = min(d - 1, len(learn) - 1)
    limits = [widest] if widest is not None and widest < d else []
    tried = sorted({width for width in (*widths, *limits) if width <= most})
    full = [PCA(tried[-1], center=center).fit(learn) for center in (False, True)] if tried else []
    return [one.prefix(width) for one in full for width in tried]


def _heads(
    sample: TeacherSample, learn: np.ndarray, widths: Sequence[int], given: Sequence[Reducer | str | Path]
) -> list[Reducer]:
    if given:
        heads = [one if isinstance(one, Reducer) else load_reducer(one) for one in given]
        for one, source in zip(heads, given, strict=True):
            one.check_fits(sample.teacher, one.kind if isinstance(source, Reducer) else str(source))
        return heads
    narrow = sorted(width for width in widths if width <= learn.shape[1] // _NARROW)
    if not narrow:
        return []
    head = LearnedReducer(narrow[-1], nested=narrow[:-1], verbose=1).fit(learn)
    return [head.prefix(width) for width in narrow]
