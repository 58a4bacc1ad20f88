"""Vectors as people keep them, each against the array that it was made from."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import torch
from datasets import Dataset

from projhead.reducers.pca import PCA
from projhead.vectors import Vectors, unit_rows
from projhead.vectors.as_rows import as_rows

#: Numbers that bfloat16 and float16 hold too.
ROWS = np.random.default_rng(0).integers(-8, 8, (12, 4)).astype(np.float32) + 0.5

KINDS: dict[str, Callable[[Vectors], Any]] = {
    "pandas lists": lambda x: pd.Series(x.tolist()),
    "pandas arrays": lambda x: pd.DataFrame({"v": list(x)})["v"],
    "pandas arrow": lambda x: pd.Series(x.tolist(), dtype=pd.ArrowDtype(pa.list_(pa.float32()))),
    "object array": lambda x: pd.Series(list(x)).to_numpy(),
    "list": lambda x: pa.array(x.tolist(), pa.list_(pa.float64())),
    "large list": lambda x: pa.array(x.tolist(), pa.large_list(pa.float32())),
    "float16": lambda x: pa.array(list(x.astype(np.float16)), pa.list_(pa.float16())),
    "fixed": lambda x: pa.FixedSizeListArray.from_arrays(pa.array(x.ravel()), 4),
    "slice": lambda x: pa.array([[9.0] * 4, *x.tolist(), [9.0] * 4], pa.list_(pa.float32(), 4)).slice(1, len(x)),
    "chunks": lambda x: pa.chunked_array([part.tolist() for part in np.split(x, 3)]),
    "tensor of arrow": lambda x: pa.FixedShapeTensorArray.from_numpy_ndarray(x),
    "json": lambda x: pd.Series([json.dumps(row.tolist()) for row in x]),
    "arrow json": lambda x: pa.array([json.dumps(row.tolist()) for row in x]),
    "bfloat16": lambda x: torch.from_numpy(x).bfloat16(),
    "gradient": lambda x: torch.from_numpy(x.copy()).requires_grad_(),
    "list of tensors": lambda x: [row.requires_grad_() for row in torch.from_numpy(x.copy())],
    "list of arrays": list,
    "array": lambda x: x,
    "lists": lambda x: x.tolist(),
    "dictionary of json": lambda x: pa.array([json.dumps(row.tolist()) for row in x]).dictionary_encode(),
    "strings": lambda x: np.array([json.dumps(row.tolist()) for row in x]),
    "table of one column": lambda x: pa.table({"v": x.tolist()}),
    "frame of one column": lambda x: pd.DataFrame({"v": list(x)}),
    "column of datasets": lambda x: Dataset.from_dict({"v": x.tolist()}),
    "frame of numbers": pd.DataFrame,
    "negative view": lambda x: torch.from_numpy(-x)._neg_view(),
    "nothing masked": np.ma.masked_array,
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_way_to_keep_vectors_gives_the_same_rows(kind: str) -> None:
    kept = KINDS[kind](ROWS)
    np.testing.assert_array_equal(unit_rows(kept), unit_rows(ROWS))
    np.testing.assert_allclose(PCA(2).fit(kept).transform(kept), PCA(2).fit(ROWS).transform(ROWS), atol=1e-6)


def test_polars_columns_are_read() -> None:
    pl = pytest.importorskip("polars")
    for kind in (pl.List(pl.Float32), pl.Array(pl.Float32, 4)):
        np.testing.assert_array_equal(as_rows(pl.Series("v", ROWS.tolist(), dtype=kind)), ROWS)


def test_floats_of_one_chunk_are_not_copied() -> None:
    assert as_rows(ROWS) is ROWS
    assert np.shares_memory(as_rows(pa.FixedSizeListArray.from_arrays(pa.array(ROWS.ravel()), 4)), ROWS)


@pytest.mark.parametrize(
    ("kept", "message"),
    [
        (pd.Series([[1.0, 2.0], [1.0]]), r"X: expected vectors of one width, got \[1, 2\]; drop or repair"),
        (pd.Series([[1.0], None]), r"X, row 1: expected a list of numbers, got None; drop"),
        (pd.Series([[1.0], ["a"]]), r"X, row 1: expected a list of numbers, got \['a'\]"),
        (["[1, 2]", "1, 2"], r"X, row 1: expected JSON such as '\[0.1, -0.2\]', got '1, 2'"),
        (pa.array([[1.0], None]), r"X: expected a vector in every row, got none in row 1"),
        (pa.array([[1.0], [None]]), r"X: expected numbers, got missing ones within vectors"),
        (pa.array([[1.0], [1.0, 2.0]]), r"X: expected vectors of one width, got \[1, 2\]"),
        (pa.array([1.0, 2.0]), r"X: expected lists of numbers, or JSON of such, got a column of double"),
        (pa.chunked_array([], pa.list_(pa.float32())), r"X: expected vectors, got an empty column of list"),
        ([[1.0, 2.0], [1.0]], r"X: expected vectors of one width, got \[1, 2\]; drop or repair"),
        ([None, [1.0]], r"X, row 0: expected a list of numbers, got None; drop"),
        ([{"embedding": [1.0]}], r"X, row 0: expected a list of numbers, got \{'embedding'"),
        (np.ma.masked_less(ROWS, 0), r"X: expected numbers, got masked ones; drop or fill such rows"),
        (pd.DataFrame({"id": [1, 2], "v": [[1.0], [2.0]]}), r"X: .* columns id, v; give the one .* table\['v'\]"),
        (torch.from_numpy(ROWS).to_sparse(), r"X: expected a tensor with an entry at every place, .* of torch.sparse"),
        (torch.empty(3, 4, device="meta"), r"X: expected a tensor with an entry at every place, got one on meta"),
    ],
)
def test_what_holds_no_vectors_is_refused_in_our_words(kept: Any, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}"):
        PCA(1).fit(kept)


@pytest.mark.parametrize("kept", ["v.npy", {"v": ROWS}, iter(ROWS)])
def test_what_is_to_be_read_first_is_named(kept: Any) -> None:
    with pytest.raises(TypeError, match=r"^X: expected vectors \(n, d\), .* got a \w+; read it first$"):
        PCA(1).fit(kept)
