"""What each verb takes: its settings and their ranges, and its groups. The defaults are in ``conf/<verb>.yaml``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from projhead.settings.ranges import Count, Part, Seed, Share

#: A group's choice: what its ``_target_`` takes is checked by itself.
Node = Mapping[str, Any]
#: One name or several.
Names = str | Sequence[str]
Split = Literal["train", "test", "all"]
Stored = Literal["float16", "float32"]


@dataclass(frozen=True, kw_only=True)
class _Run:
    paths: Node
    run_dir: str


@dataclass(frozen=True, kw_only=True)
class Train(_Run):
    """``projhead train``."""

    encoder: Node
    corpus: Node
    queries: Node
    reducer: Node
    head: Node
    loss: Node
    optimizer: Node
    trainer: Node
    callbacks: Node
    logger: Node
    baselines: Node
    codec: Node | None = None
    student: Node | None = None
    n_components: Count
    seed: Seed
    dtype: Stored
    max_test_rows: Count
    overwrite: bool


@dataclass(frozen=True, kw_only=True)
class Evaluate(_Run):
    """``projhead evaluate``."""

    encoder: Node
    task: Node
    codec: Node
    calibration: Node | None = None
    artifact: Names
    exported: Names


@dataclass(frozen=True, kw_only=True)
class Export(_Run):
    """``projhead export``."""

    encoder: Node
    corpus: Node
    export: Node
    artifact: str
    path: str
    min_mean_cosine: Share | None
    max_texts: Count


@dataclass(frozen=True, kw_only=True)
class Encode(_Run):
    """``projhead encode``."""

    encoder: Node
    corpus: Node
    codec: Node | None = None
    artifact: str | None
    split: Split
    dtype: Stored
    calibration_rows: Count
    fitted_codec: str | None
    shard_rows: Count
    keep_texts: bool
    count: bool
    path: str


@dataclass(frozen=True, kw_only=True)
class Index(_Run):
    """``projhead index``."""

    index: Node
    codec: Node | None = None
    store: str | None
    add: str | None
    delete: Names | None
    path: str


@dataclass(frozen=True, kw_only=True)
class Search(_Run):
    """``projhead search``."""

    path: str
    query: Names
    top_k: Count
    filter_ids: Names | None


@dataclass(frozen=True, kw_only=True)
class Budget(_Run):
    """``projhead budget``."""

    encoder: Node
    corpus: Node
    codec: Node
    rows: Count
    memory: str
    recall: Part
    store: str | None
    queries: str | None
    artifact: Names
    max_rows: Count
    n_queries: Count


@dataclass(frozen=True, kw_only=True)
class Report(_Run):
    """``projhead report``."""

    results: Names
    path: str
    overwrite: bool


@dataclass(frozen=True, kw_only=True)
class Demo(_Run):
    """``projhead demo``."""

    widths: Sequence[Count]


VERBS: dict[str, type[_Run]] = {
    one.__name__.lower(): one for one in (Train, Evaluate, Export, Encode, Index, Search, Budget, Report, Demo)
}
