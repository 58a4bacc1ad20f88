"""What passes over texts say: a Markdown table, result rows, and our best int8 beside the best of other tools."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from passes import Taken, likeness
from peers import PEERS
from tabulate import tabulate

from projhead.report.results import Result
from projhead.vectors import Vectors

sys.path.append(str(Path(__file__).parents[1]))  # where bench is
from bench import machine

#: Exports of ours whose network is the stock one's in int8.
OURS = ("onnx_int8", "onnx_int8_static", "openvino_int8", "openvino_int8_bf16")
REFERENCE, LEAST = "stock float32", "limit of int8 products"

COLUMNS = {
    "texts_per_second": ",.0f", "times_stock": ".2f", "texts_per_processor_second": ",.0f",
    "times_stock_processor": ".2f", "tokens_per_second": ",.0f", "share_of_limit": ".0%", "padding_share": ".1%",
    "p50_ms": ".1f", "p95_ms": ".1f", "peak_megabytes": ",.0f", "megabytes": ".1f", "mean_cosine": ".5f",
    "worst_cosine": ".4f", "overlap_at_10": ".1%", "teacher_overlap_at_10": ".1%",
}  # fmt: skip


class Run(NamedTuple):
    """One run: tokens of the texts, the teacher's rows; of each system times, rows, size, padding and peak memory."""

    lengths: Sequence[int]
    teacher: Vectors | None
    taken: Mapping[str, Taken]
    rows: Mapping[str, Vectors]
    sizes: Mapping[str, float]
    padding: Mapping[str, float]
    memory: Mapping[str, float]

    def values(self, name: str) -> dict[str, float]:
        """Return everything measured of a system; of a limit its speed alone."""
        took, stock = self.taken[name], self.taken[REFERENCE]
        values = {
            "texts_per_second": len(self.lengths) / took.wall,
            "texts_per_processor_second": len(self.lengths) / took.processor,
            "tokens_per_second": sum(self.lengths) / took.wall,
            "times_stock": stock.wall / took.wall,
            "times_stock_processor": stock.processor / took.processor,
            "share_of_limit": self.taken[LEAST].processor / took.processor,
        }
        if name in self.sizes:
            values |= {"padding_share": self.padding[name], "megabytes": self.sizes[name]}
            values |= {"p50_ms": took.p50, "p95_ms": took.p95}
            values |= likeness(self.rows[REFERENCE], self.teacher, self.rows[name])
        return values | ({"peak_megabytes": self.memory[name]} if name in self.memory else {})


def markdown(run: Run, rounds: int) -> str:
    """Return the table, with what it was measured on above, and below it the best int8 against the best peer."""
    lengths = run.lengths
    metadata = (
        f"{len(lengths):,} texts of {np.mean(lengths):.0f} tokens on average ({min(lengths)} to {max(lengths)}), "
        f"median of {rounds} rounds, {machine()}"
    )
    table = []
    for name in run.taken:
        values = run.values(name)
        table.append([name, *(f"{values[key]:{form}}" if key in values else "" for key, form in COLUMNS.items())])
    lines = tabulate(table, ["what", *(key.replace("_", " ") for key in COLUMNS)], tablefmt="github")
    return "\n\n".join([metadata, lines, *_against_peers(run.taken)])


def _against_peers(taken: Mapping[str, Taken]) -> Iterator[str]:
    """Compare the fastest int8 of the same network: ours in a file of ours, theirs in a file of theirs."""
    theirs = [name for name in taken if name in PEERS and name.endswith(" int8")]
    ours = [name for name in OURS if name in taken]
    for field in ("wall", "processor") if ours and theirs else ():
        seconds = {name: getattr(taken[name], field) for name in (*ours, *theirs)}
        best, peer = min(ours, key=seconds.__getitem__), min(theirs, key=seconds.__getitem__)
        yield f"By {field} time {best} is {seconds[peer] / seconds[best]:.2f} times as fast as {peer}."


def results(run: Run, reducer: str, encoder: str) -> Iterator[Result]:
    """Yield every value as a row."""
    for name in run.taken:
        width = run.rows[name].shape[1] or run.rows[REFERENCE].shape[1]  # limits have no rows
        for metric, value in run.values(name).items():
            yield Result(
                f"export/{name}", metric, value, value, value, reducer, width, len(run.lengths), encoder, "",
            )  # fmt: skip
