"""Result rows as one sorted frame."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict

import pandas as pd

from projhead.report.results import ROLES, Result, named

#: Rows equal in these measure the same thing.
_KEY = ["encoder", "fingerprint", "task", "metric", "paired", "reducer", "n_components", "codec", "index", "seed"]
_LEADING = ("ndcg@10", "spearman", "overlap@10", "logistic_accuracy")
_NAMES = {
    "ndcg@10": "nDCG@10",
    "mrr@10": "MRR@10",
    "spearman": "Spearman",
    "logistic_accuracy": "accuracy, logistic regression",
    "knn_accuracy": "accuracy, 10 neighbors",
    "megabytes": "size, MB",
    "peak_megabytes": "peak memory, MB",
    "p50_ms": "latency of one text, median, ms",
    "p95_ms": "latency of one text, 95th percentile, ms",
    "share_of_limit": "share of the int8 limit",
    "overlap_at_10": "share of the float32 student's ten nearest",
    "teacher_overlap_at_10": "share of the teacher's ten nearest",
}


def frame_of(results: Sequence[Result]) -> pd.DataFrame:
    """Return a row per measurement, with what tables and pictures are sorted and divided by.

    Of a measurement taken more than once the last counts.

    Returns
    -------
    DataFrame
        The fields of `Result` and: ``paired``, whether it is a difference; ``teacher``, the encoder's name, with
        its fingerprint where that is needed to tell two apart; ``series``, the reducer and how its vectors were
        stored and searched; ``full``, whether it is of the teacher's own plain vectors; ``kept_value``,
        ``kept_low``, ``kept_high``, the retention: the metric over the full-width teacher's, missing where that
        was not measured (neighbor overlap is a retention itself).

    Raises
    ------
    ValueError
        If there are no rows.
    """
    if not results:
        raise ValueError("expected at least one result row, got none; run 'projhead evaluate' and report on its rows")
    frame = pd.DataFrame([asdict(result) for result in results])
    frame["paired"] = frame["baseline"] != ""
    frame["reducer"] = [named(*one) for one in zip(frame["reducer"], frame["variant"], strict=True)]
    # Versions before did not say what plain rows take.
    unsaid = (frame["bytes_per_vector"] == 0) & (frame["codec"] == "float32")
    frame.loc[unsaid, "bytes_per_vector"] = 4 * frame["n_components"]
    frame["codec"] += (" (" + frame["fitted_to"] + ")").where(frame["fitted_to"] != "", "")
    frame = frame.drop_duplicates(_KEY, keep="last", ignore_index=True)
    fingerprints = frame.groupby("encoder")["fingerprint"].transform("nunique")
    frame["teacher"] = frame["encoder"].where(fingerprints == 1, frame["encoder"] + " (" + frame["fingerprint"] + ")")
    codec = (", " + frame["codec"]).where(frame["codec"] != "float32", "")
    frame["series"] = frame["reducer"] + codec + (", " + frame["index"]).where(frame["index"] != "exact", "")
    frame["full"] = (frame["role"] == "reference") & (frame["series"] == frame["reducer"]) & ~frame["paired"]
    same = ["teacher", "task", "metric"]
    full = frame[frame["full"]].drop_duplicates(same)
    frame = frame.merge(full[[*same, "value"]], how="left", on=same, suffixes=("", "_full"))
    whole = frame["value_full"].mask(is_overlap(frame), 1.0)
    for end in ("value", "low", "high"):
        frame[f"kept_{end}"] = frame[end] / whole.where(whole > 0)
    return frame


def is_export(frame: pd.DataFrame) -> pd.Series:
    """Say which rows are of an exported student's files, their size, speed and parity."""
    return frame["task"].str.startswith("export/")


def is_overlap(frame: pd.DataFrame) -> pd.Series:
    """Say which rows are of neighbor overlap with the teacher, of which the teacher itself has all."""
    return frame["metric"].str.startswith("overlap@")


def several_codecs(frame: pd.DataFrame) -> bool:
    """Say whether vectors were stored in more than one way, so that bytes are a question of their own."""
    return bool(frame["codec"].nunique() > 1)


def family(codec: str) -> str:
    """Return a codec's name without its size: ``"pq"`` of ``"pq_32"``, ``"pq (docs)"`` of ``"pq_32 (docs)"``."""
    return re.sub(r"_\d+(?=$| )", "", codec)


def leading(frame: pd.DataFrame) -> pd.DataFrame:
    """Keep one metric of each task: the field's usual one, else the first."""

    def lead(metrics: pd.Series) -> str:
        return next((metric for metric in _LEADING if metric in set(metrics)), metrics.iloc[0])

    return frame[frame["metric"] == frame.groupby(["teacher", "task"], sort=False)["metric"].transform(lead)]


def metric_name(metric: str) -> str:
    """Return a metric's name as people write it."""
    return _NAMES.get(metric, metric.replace("_", " "))


def roles_of(frame: pd.DataFrame, column: str = "reducer") -> dict[str, str]:
    """Return the role of every reducer, or series: the teacher first, then subjects, then baselines."""
    pairs = dict(zip(frame[column], frame["role"], strict=True))
    return dict(sorted(pairs.items(), key=lambda pair: (ROLES.index(pair[1]), pair[0])))
