"""What so many rows would take in every form, and what each form keeps of the teacher."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

from tabulate import tabulate
from tqdm import tqdm

from projhead.codecs.base import BaseCodec, fitted_copy
from projhead.evaluation.planning import (
    TOP_K,
    Outcome,
    estimated,
    lists,
    lists_of_sample,
    neighbors,
    plans_for,
    recommended,
)
from projhead.evaluation.sample import TeacherSample
from projhead.reducers.base import Reducer, load_reducer

_UNITS = {"": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12, "KIB": 2**10, "MIB": 2**20, "GIB": 2**30}
_HEADER = ("width", "by", "codec", "index", "memory, GB", "disk, GB", f"kept of the {TOP_K} nearest", "estimated",
           "queries/s", "fits", "reaches")  # fmt: skip


@dataclass(frozen=True)
class Budget:
    """Forms of a number of rows, and what they were asked for.

    Attributes
    ----------
    outcomes : list of Outcome
        Best first.
    sample : TeacherSample
        What they were measured on.
    rows : int
        How many rows are planned.
    memory : str
        Such as ``"32GB"``: what the index may take.
    recall : float
        The share of the teacher's nearest neighbors that is to be found.
    """

    outcomes: list[Outcome]
    sample: TeacherSample
    rows: int
    memory: str
    recall: float

    def fits(self, one: Outcome) -> bool:
        """Say whether a form takes no more than the memory."""
        return one.footprint.memory <= size_of(self.memory)

    def reaches(self, one: Outcome) -> bool:
        """Say whether a form is estimated to find what is to be found."""
        return one.estimated >= self.recall

    @property
    def best(self) -> Outcome:
        """The form that is recommended."""
        return self.outcomes[0]

    @property
    def verdict(self) -> str:
        """What the first form is, in words, and the command that builds it."""
        best, recall = self.best, f"the target of {self.recall:.0%}"
        if not self.fits(best):
            said = f"over {self.memory} of memory"
        elif self.reaches(best):
            said = f"the smallest that reaches {recall}"
        else:
            said = f"the best that fits, but below {recall}"
        of = f" of {best.width} dimensions by {best.reducer}" if best.reducer else ""
        command = f"projhead index store=<store{of}> out=<index> {best.plan.command(lists(self.rows))}"
        return f"recommended: the first, {said}:\n  {command}"

    def __str__(self) -> str:
        n, (name, _, rows, queries) = self.rows, self.sample
        return (
            f"{n:,} rows of {name}; measured on {len(rows):,} rows and {len(queries):,} queries: the share of the\n"
            f"teacher's {TOP_K} nearest that are found, with its 95% interval. More rows make it harder: estimated\n"
            "for all by the fall from a quarter of the sample to all of it, each fourfold alike; rough where there "
            "are many.\n"
            f"IVF and HNSW look at a part of the rows: {lists(n):,} lists, a sixteenth visited, on the sample "
            f"{lists_of_sample(n, len(rows)):,}.\n"
            f"Queries/s: in batches of {len(queries)} on this machine, estimated likewise, to a factor of three.\n"
            f"Disk without the store.\n\n"
            + str(tabulate([self._line(one) for one in self.outcomes], _HEADER, "github", disable_numparse=True))
        )

    def _line(self, one: Outcome) -> list[object]:
        kept = f"{one.kept.value:.1%} [{one.kept.low:.1%}, {one.kept.high:.1%}]"
        sizes = (f"{size / 1e9:,.3f}" for size in one.footprint)
        rate = f"{one.rate:,.0f}" if one.rate >= 1 else f"{one.rate:.1g}"
        said = ("yes" if true else "no" for true in (self.fits(one), self.reaches(one)))
        name = [one.width, one.reducer or "teacher", one.plan.codec, one.plan.index]
        return [*name, *sizes, kept, f"{one.estimated:.1%}", rate, *said]


def budget(
    sample: TeacherSample,
    *,
    rows: int,
    memory: str = "8GB",
    recall: float = 0.95,
    codecs: Sequence[BaseCodec],
    reducers: Sequence[Reducer | str | Path] = (),
) -> Budget:
    """Measure every width, codec and index on a sample, and say what `rows` rows of each would take and keep.

    What a width cannot be stored in is left out, and said.

    Parameters
    ----------
    sample : TeacherSample
    rows : int
    memory : str
        What the index may take, such as ``"32GB"``.
    recall : float
        Target: the share of the teacher's nearest neighbors that is found.
    codecs : sequence of BaseCodec
    reducers : sequence of Reducer or path
        Fitted to that teacher; the teacher's own width is always measured.

    Returns
    -------
    Budget

    Raises
    ------
    ValueError
        If no codec can store rows of these widths, a reducer is of another teacher, or `memory` is no size.
    """
    size = size_of(memory)
    fitted = [_fitting(one, sample) for one in reducers]
    found = list(_outcomes(sample, rows, codecs, fitted))
    if not found:
        raise ValueError("no codec can store rows of these widths: choose others with codecs=[...]")
    return Budget(recommended(found, size, recall), sample, rows, memory, recall)


def size_of(text: object) -> int:
    """Return bytes from ``32GB``, ``500 MB``, ``8GiB`` or a number.

    Raises
    ------
    ValueError
        If it is none of those.
    """
    match = re.fullmatch(r"([\d._]+)\s*([KMGT]?i?B?)", str(text).strip(), re.IGNORECASE)
    unit = None if match is None else _UNITS.get(match[2].upper())
    if match is None or unit is None:
        raise ValueError(f"memory: expected a size such as 32GB, 500MB or 8GiB, got {text!r}")
    return int(float(match[1]) * unit)


def _fitting(one: Reducer | str | Path, sample: TeacherSample) -> Reducer:
    reducer = one if isinstance(one, Reducer) else load_reducer(one)
    reducer.check_fits(sample.teacher, reducer.kind if isinstance(one, Reducer) else str(one))
    return reducer


def _outcomes(
    sample: TeacherSample, n: int, codecs: Sequence[BaseCodec], reducers: Sequence[Reducer]
) -> Iterator[Outcome]:
    rows, queries = sample.rows, sample.queries
    truths = [neighbors(part, queries) for part in (rows, rows[: len(rows) // 4])]
    forms = [("", rows, queries), *((one.kind, one.transform(rows), one.transform(queries)) for one in reducers)]
    for (reducer, reduced, asked), codec in (bar := tqdm(list(product(forms, codecs)), desc="budget", unit="codec")):
        width = reduced.shape[1]
        bar.set_postfix_str(f"{width} {codec.name}")
        try:
            plans = list(plans_for(fitted_copy(codec, reduced)))
        except ValueError as error:
            tqdm.write(f"left out: {width} dimensions, {codec.name}: {error}")
            continue
        exact = None
        for plan in plans:
            try:
                outcome = estimated(plan, n, reducer, reduced, asked, truths, exact)
            except ValueError as error:
                tqdm.write(f"left out: {width} dimensions, {plan.codec}, {plan.index}: {error}")
                continue
            yield outcome
            exact = exact or outcome
