"""``projhead budget``: what so many rows would take in every form, and what each keeps of the teacher."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import islice, product
from pathlib import Path

import numpy as np
from hydra.utils import instantiate
from numpy.typing import NDArray
from omegaconf import DictConfig
from tabulate import tabulate
from tqdm import tqdm

from projhead.codecs.base import BaseCodec, fitted_copy
from projhead.commands.run_folder import run_folder
from projhead.encoders.lifted import asking
from projhead.encoders.precomputed import Precomputed
from projhead.evaluation.measurements import paths_of
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
from projhead.persistence.files import atomic_file
from projhead.persistence.identity import EncoderIdentity, expect_same
from projhead.persistence.ours import expect_ours
from projhead.protocols import Corpus, Encoder
from projhead.reducers.base import Reducer, load_reducer
from projhead.store.cached import Cached
from projhead.store.side import BOTH
from projhead.store.store import EmbeddingStore
from projhead.vectors import Vectors, unit_rows

_UNITS = {"": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12, "KIB": 2**10, "MIB": 2**20, "GIB": 2**30}


def run(cfg: DictConfig) -> float:
    """Print the table, the recommended form on top; return what it is estimated to keep."""
    expect_ours(run_folder(), "a budget", ours=(run_folder() / "budget.md").is_file())
    memory, n = size_of(cfg.memory), int(cfg.rows)
    name, teacher, sample, queries = _sample(cfg)
    reducers = [_reducer(path, teacher) for path in paths_of(cfg.artifact)]
    codecs: list[BaseCodec] = list(instantiate(cfg.codecs).values())
    outcomes = recommended(_outcomes(n, codecs, reducers, sample, queries), memory, cfg.recall)
    table = _table(outcomes, memory, cfg.recall)
    best = outcomes[0]
    fits, reaches = best.footprint.memory <= memory, best.estimated >= cfg.recall
    verdict = "the smallest that reaches" if fits and reaches else "the best that fits, but below" if fits else "over"
    goal = f"{cfg.memory} of memory" if verdict == "over" else f"the target of {cfg.recall:.0%}"
    head = (
        f"{n:,} rows of {name}; measured on {len(sample):,} rows and {len(queries):,} queries: the share of the\n"
        f"teacher's {TOP_K} nearest that are found, with its 95% interval. More rows make it harder: estimated for\n"
        "all by the fall from a quarter of the sample to all of it, each fourfold alike; rough where there are many.\n"
        f"IVF and HNSW look at a part of the rows: {lists(n):,} lists, a sixteenth visited, on the sample "
        f"{lists_of_sample(n, len(sample)):,}.\n"
        f"Queries/s: in batches of {len(queries)} on this machine, estimated likewise, to a factor of three.\n"
        "Disk without the store."
    )
    print(f"\n{head}\n\n{table}\n\nrecommended: the first, {verdict} {goal}:")
    print(f"  projhead index store=<store{_of(best)}> out=<index> {best.plan.command(lists(n))}")
    with atomic_file(run_folder() / "budget.md") as temporary:
        temporary.write_text(f"{head}\n\n{table}\n", encoding="utf-8")
    return best.estimated


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


def _sample(cfg: DictConfig) -> tuple[str, EncoderIdentity, Vectors, Vectors]:
    """Return a name, the teacher, its rows and its queries: a store of them, or rows held out."""
    if cfg.store is not None:
        store = EmbeddingStore.open(cfg.store)
        name, teacher = store.manifest.corpus["name"], store.identity
        rows = unit_rows(store.take(_chosen(len(store), cfg.max_rows)))
    else:
        encoder: Encoder = instantiate(cfg.encoder)
        name, teacher = encoder.name, encoder.identity
        if isinstance(encoder, Precomputed):
            rows = unit_rows(encoder.rows[_chosen(len(encoder.rows), cfg.max_rows)])
        else:
            corpus: Corpus = instantiate(cfg.corpus)
            texts = [document.text for document in islice(corpus.documents("all"), int(cfg.max_rows))]
            name, rows = corpus.name, Cached(encoder, Path(cfg.paths.stores), show_progress=True).encode_document(texts)
    if cfg.queries.path is not None:
        asked = EmbeddingStore.open(cfg.queries.path)
        advice = "encode queries with that teacher and side=query"
        expect_same(teacher, asked.identity, str(cfg.queries.path), advice)
        if asked.manifest.side not in ("query", BOTH):
            raise ValueError(
                f"{cfg.queries.path}: expected the side of queries, got that of {asked.manifest.side}s; {advice}"
            )
        return name, teacher, rows, unit_rows(asked.rows[: cfg.n_queries])
    held = np.random.default_rng(1).permutation(len(rows))
    if len(rows) < 4 * TOP_K:
        raise ValueError(f"expected a sample of at least {4 * TOP_K} rows, got {len(rows)}")
    n_queries = min(int(cfg.n_queries), len(rows) // 4)
    return name, teacher, rows[np.sort(held[n_queries:])], asking(rows[held[:n_queries]], teacher)


def _chosen(n: int, most: int) -> NDArray[np.int64]:
    return np.sort(np.random.default_rng(0).permutation(n)[:most])


def _reducer(path: Path, teacher: EncoderIdentity) -> Reducer:
    reducer = load_reducer(path)
    reducer.check_fits(teacher, str(path))
    return reducer


def _outcomes(
    n: int, codecs: Sequence[BaseCodec], reducers: Sequence[Reducer], sample: Vectors, queries: Vectors
) -> list[Outcome]:
    """Measure every width, codec and index; what a width cannot be stored in is left out, and said."""
    parts = (sample, sample[: len(sample) // 4])
    truths = [neighbors(part, queries) for part in parts]
    forms = [("", sample, queries), *((one.kind, one.transform(sample), one.transform(queries)) for one in reducers)]
    found: list[Outcome] = []
    for (reducer, rows, asked), codec in (bar := tqdm(list(product(forms, codecs)), desc="budget", unit="codec")):
        width = rows.shape[1]
        bar.set_postfix_str(f"{width} {codec.name}")
        try:
            plans = list(plans_for(fitted_copy(codec, rows)))
        except ValueError as error:
            tqdm.write(f"left out: {width} dimensions, {codec.name}: {error}")
            continue
        exact = None
        for plan in plans:
            try:
                outcome = estimated(plan, n, reducer, rows, asked, truths, exact)
            except ValueError as error:
                tqdm.write(f"left out: {width} dimensions, {plan.codec}, {plan.index}: {error}")
                continue
            found.append(outcome)
            exact = exact or outcome
    if not found:
        raise ValueError("no codec can store rows of these widths: choose others with codecs=[...]")
    return found


def _of(outcome: Outcome) -> str:
    return f" of {outcome.width} dimensions by {outcome.reducer}" if outcome.reducer else ""


def _table(outcomes: Sequence[Outcome], memory: float, recall: float) -> str:
    rows = []
    for one in outcomes:
        kept = f"{one.kept.value:.1%} [{one.kept.low:.1%}, {one.kept.high:.1%}]"
        fits = "yes" if one.footprint.memory <= memory else "no"
        reaches = "yes" if one.estimated >= recall else "no"
        sizes = (f"{size / 1e9:,.3f}" for size in one.footprint)
        name = [one.width, one.reducer or "teacher", one.plan.codec, one.plan.index]
        rate = f"{one.rate:,.0f}" if one.rate >= 1 else f"{one.rate:.1g}"
        rows.append([*name, *sizes, kept, f"{one.estimated:.1%}", rate, fits, reaches])
    kept = f"kept of the {TOP_K} nearest"
    header = [
        "width",
        "by",
        "codec",
        "index",
        "memory, GB",
        "disk, GB",
        kept,
        "estimated",
        "queries/s",
        "fits",
        "reaches",
    ]
    return str(tabulate(rows, header, tablefmt="github", disable_numparse=True))
