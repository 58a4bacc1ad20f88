"""The settings and groups of each verb, with their ranges; ``conf/<verb>.yaml`` has the defaults."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from projhead.settings.ranges import Count, CountOrNone, Part, Seed, Share, Weight

#: A group's choice: what its ``_target_`` takes is checked by itself.
Node = Mapping[str, Any]
#: One name or several.
Names = str | Sequence[str]
#: The same, of what may look like a number.
Named = str | float | Sequence[str | float]
Split = Literal["train", "test", "all"]
Stored = Literal["float16", "float32"]
FormName = Literal["float32", "float16", "int8", "bit"]


@dataclass(frozen=True)
class Place:
    """A folder."""

    path: str


@dataclass(frozen=True)
class MaybePlace:
    """A folder, or none."""

    path: str | None


@dataclass(frozen=True)
class Paths:
    """Where everything is written."""

    root: str
    stores: str


@dataclass(frozen=True)
class Sizes:
    """Of the demo."""

    widths: Sequence[Count]
    documents: Count


@dataclass(frozen=True)
class SizesOf:
    """Of the demo, for each teacher."""

    minilm: Sizes
    mpnet: Sizes


@dataclass(frozen=True, kw_only=True)
class _Run:
    paths: Paths
    run_dir: str


@dataclass(frozen=True, kw_only=True)
class _Loading(_Run):
    trusted: Sequence[str]


@dataclass(frozen=True, kw_only=True)
class Train(_Loading):
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
    ckpt_path: str | None
    store_dtype: Stored
    max_test_rows: Count
    overwrite: bool


@dataclass(frozen=True, kw_only=True)
class Evaluate(_Loading):
    """``projhead evaluate``."""

    encoder: Node
    task: Node
    codecs: Node
    calibration: Node | None = None
    engine: Node | None = None
    artifact: Names
    exported: Names
    sizes: Sequence[Count]
    others: str | None


@dataclass(frozen=True, kw_only=True)
class Export(_Loading):
    """``projhead export``."""

    encoder: Node
    corpus: Node
    export: Node
    artifact: str
    out: str
    min_mean_cosine: Share | None
    max_texts: Count
    serve: Sequence[str]


@dataclass(frozen=True, kw_only=True)
class Encode(_Loading):
    """``projhead encode``."""

    encoder: Node
    corpus: Node
    codec: Node | None = None
    engine: Node
    artifact: str | None
    split: Split
    store_dtype: Stored
    calibration_rows: Count
    fitted_codec: str | None
    shard_rows: Count
    keep_texts: bool
    side: Literal["document", "query"]
    count: bool
    out: str


@dataclass(frozen=True, kw_only=True)
class Index(_Loading):
    """``projhead index``."""

    index: Node
    codec: Node | None = None
    engine: Node | None = None
    store: Names | None
    add: str | None
    delete: Names | None
    out: str


@dataclass(frozen=True, kw_only=True)
class Search(_Loading):
    """``projhead search``."""

    index: Place
    query: Named | None
    queries: MaybePlace
    id: Named | None
    vector: str | None
    json: bool
    top_k: Count
    store: Names | None
    filter_ids: Names | None
    where: Mapping[str, Any] | None


@dataclass(frozen=True, kw_only=True)
class Load(_Loading):
    """``projhead load``."""

    database: Node
    store: str
    rows: FormName | None
    columns: Sequence[str] | None
    batch_rows: Count
    n_queries: CountOrNone


@dataclass(frozen=True, kw_only=True)
class Push(_Run):
    """``projhead push``."""

    folder: str
    repo: str
    private: bool | None
    create_pr: bool
    revision: str | None
    message: str | None
    license: str | None
    language: Sequence[str]
    datasets: Sequence[str]
    base_model: str | None
    results: str | None


@dataclass(frozen=True, kw_only=True)
class Plan(_Loading):
    """``projhead plan``."""

    encoder: Node
    corpus: Node
    target: Node
    rows: Count
    memory: str
    recall: Part
    price_per_dimension: Weight | None
    price_per_gb: Weight | None
    store: str | None
    queries: MaybePlace
    widths: Sequence[Count]
    artifact: Names
    max_rows: Count
    n_queries: Count


@dataclass(frozen=True, kw_only=True)
class Report(_Run):
    """``projhead report``."""

    results: Names
    out: str
    overwrite: bool


@dataclass(frozen=True, kw_only=True)
class Demo(_Run):
    """``projhead demo``."""

    teacher: Literal["minilm", "mpnet"]
    widths: Sequence[Count]
    documents: Count
    of: SizesOf
    queries: Sequence[str]


VERBS: dict[str, type[_Run]] = {
    one.__name__.lower(): one
    for one in (Train, Evaluate, Export, Encode, Index, Search, Load, Push, Plan, Report, Demo)
}
