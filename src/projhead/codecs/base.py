"""The base of all codecs: checks rows, saves to a folder."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from copy import copy
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from projhead.persistence.folder import in_place
from projhead.persistence.names import trusting
from projhead.persistence.record import Record, read_record
from projhead.persistence.registry import build, spec_of
from projhead.protocols import Codec
from projhead.vectors import Vectors, unit_rows
from projhead.vectors.as_rows import as_rows

if TYPE_CHECKING:
    from projhead.codecs._fake_quantize import FakeQuantized

_KEYS = {"codec", "dimension"}
_STATE = "codec.safetensors"
#: Rows worked on at once: bounds memory on memory-mapped input.
_BLOCK = 65_536
#: Rows that a codec is fitted to, at most: 64 for each of a product quantizer's centroids, of which FAISS asks 39.
FIT_ROWS = 16_384

State = dict[str, NDArray[Any]]
C = TypeVar("C", bound=Codec)


class BaseCodec(ABC):
    """Base of every codec.

    A subclass keeps its arguments as attributes, learns `state` in `_fit`, and turns checked rows into codes in
    `_encode` and codes into rows in `_decode`.

    Attributes
    ----------
    name : str
        In tables: the name of its yaml.
    learns : bool
        Whether `fit` learns anything but the width.
    dimension : int
        Width d of the rows, after `fit`.
    state : dict of ndarray
        What `fit` learned.
    clipped : int
        How many values lay outside the codec's range in all calls of `encode` so far.
    """

    name: str
    learns: bool = True
    dimension: int
    state: State

    @property
    def is_fitted(self) -> bool:
        """Whether `fit` was called, or a fitted one was loaded."""
        return hasattr(self, "dimension")

    @abstractmethod
    def _shapes(self, dimension: int) -> dict[str, tuple[int, ...]]:
        """Return the shapes of `state` at a width that `layout` takes."""

    @abstractmethod
    def _fit(self, rows: Vectors) -> State: ...

    @abstractmethod
    def _encode(self, rows: Vectors) -> NDArray[Any]: ...

    @abstractmethod
    def _decode(self, codes: NDArray[Any]) -> NDArray[Any]: ...

    @abstractmethod
    def layout(self, dimension: int) -> tuple[np.dtype[Any], int]:
        """Return the dtype and the number of items of one code of rows of a width.

        Raises
        ------
        ValueError
            If rows of that width cannot be stored so.
        """

    def bytes_per_vector(self, dimension: int) -> int:
        """Return the bytes of one row of a width, without the `state` that all rows share.

        Raises
        ------
        ValueError
            If rows of that width cannot be stored so.
        """
        dtype, items = self.layout(dimension)
        return dtype.itemsize * items

    def fit(self, rows: ArrayLike) -> Self:
        """Learn from unit rows (n, d), float.

        Raises
        ------
        ValueError
            If there are too few, their width cannot be, or values are not finite.
        """
        checked = _finite(_two_dimensional(rows), 0)
        if not len(checked):
            raise ValueError(f"{self.name}: expected rows to learn from, got none")
        self.layout(checked.shape[1])
        self.state = self._fit(checked)
        self.dimension, self.clipped = checked.shape[1], 0
        return self

    def encode(self, rows: ArrayLike) -> NDArray[Any]:
        """Return the codes (n, items) of unit rows (n, d), float, in the dtype of `layout`.

        Values outside the range that `fit` saw take its nearest end, and are counted in `clipped`.

        Raises
        ------
        ValueError
            If there was no fit, the width is not that of the fit, or values are not finite.
        """
        given = _two_dimensional(rows)
        if given.shape[1] != self._fitted():
            raise ValueError(f"{self.name} was fitted to rows of width {self.dimension}, got {given.shape[1]}")
        dtype, items = self.layout(self.dimension)
        codes = np.empty((len(given), items), dtype)
        for start in range(0, len(given), _BLOCK):
            codes[start : start + _BLOCK] = self._encode(_finite(given[start : start + _BLOCK], start))
        return codes

    def decode(self, codes: NDArray[Any]) -> Vectors:
        """Return unit rows (n, d), float32, whose inner product with a float query is the code's score.

        What was stored had unit length, so what comes back is given it again: a code knows its own length, which
        costs no byte, and without it long codes outrank near ones.

        Raises
        ------
        ValueError
            If there was no fit, or the codes are not this codec's.
        """
        dtype, items = self.layout(self._fitted())
        if codes.ndim != 2 or codes.shape[1] != items or codes.dtype != dtype:
            raise ValueError(
                f"{self.name} of width {self.dimension}: expected codes (n, {items}) of {dtype}, "
                f"got {codes.shape} of {codes.dtype}"
            )
        rows = np.empty((len(codes), self.dimension), np.float32)
        for start in range(0, len(codes), _BLOCK):
            part = self._decode(codes[start : start + _BLOCK])
            rows[start : start + _BLOCK] = unit_rows(part, f"rows decoded by {self.name}")
        return rows

    def fake_quantized(self) -> FakeQuantized | None:
        """Return the fitted codec as a torch module from rows (b, d) to what their codes say, to train through.

        None where there is nothing to train, or training it gains nothing.
        """
        return None

    def to_faiss(self, n_lists: int | None = None) -> Any:
        """Return the fitted codec as an empty, trained FAISS index whose metric is the inner product.

        It gives a row the same code, and a query the inner product with what the code says, not made unit length.

        With `n_lists`, as many inverted lists of such codes, of the whole row and not of what its list's centroid
        leaves; they lack the centroids alone.

        Raises
        ------
        ValueError
            If FAISS has no such codes.
        """
        raise ValueError(f"{self.name}: FAISS has no such codes for float queries; train with pq_32 or rq_16")

    def load_trained(self, trained: FakeQuantized) -> Self:
        """Take over what the fake-quantized form of this codec learned."""
        self.state = {name: tensor.detach().float().cpu().numpy() for name, tensor in trained.state().items()}
        return self

    def restore(self, state: State, dimension: Any) -> Self:
        """Take over what a fit at a width left.

        Raises
        ------
        ValueError
            If it cannot be what such a fit leaves.
        """
        self.layout(_positive(dimension))
        expected, found = self._shapes(dimension), {name: array.shape for name, array in state.items()}
        sound = all(array.dtype == np.float32 and np.isfinite(array).all() for array in state.values())
        if found != expected or not sound:
            raise ValueError(f"expected finite float32 arrays {expected} for width {dimension}, got {found}")
        self.state, self.dimension, self.clipped = state, dimension, 0
        return self

    def _fitted(self) -> int:
        if not self.is_fitted:
            raise ValueError(f"{self.name} is not fitted: call fit with rows first")
        return self.dimension

    def save(self, path: str | Path) -> None:
        """Write the fitted codec as a folder, whole or not at all, in place of an older one."""
        dimension = self._fitted()
        with in_place(Path(path), "codec") as folder:
            save_file({name: np.ascontiguousarray(array) for name, array in self.state.items()}, folder / _STATE)
            Record.of(folder, "codec", {"codec": spec_of(self), "dimension": dimension}).write(folder)


def load_codec(path: str | Path, *, trusted: Sequence[str] = ()) -> BaseCodec:
    """Load what `BaseCodec.save` wrote.

    Parameters
    ----------
    path : path
    trusted : sequence of str
        Packages of the user's own whose classes the record may name: their code is run.

    Raises
    ------
    FileNotFoundError
        If there is none.
    ValueError
        If it is damaged, of another version, names a class that is neither projhead's codec nor `trusted`, or holds
        arrays that do not fit it.
    """
    record = read_record(Path(path), "codec", _KEYS).body
    with trusting(trusted):
        codec = build(record["codec"], "codec")
    if not isinstance(codec, BaseCodec):
        raise ValueError(f"{path}: {record['codec']['class']} is not a codec: refused")
    try:
        return codec.restore(load_file(Path(path) / _STATE), record["dimension"])
    except (SafetensorError, ValueError) as error:
        raise ValueError(f"{path} cannot be a codec: {error}; fit and save again") from error


def same_codec(one: Any, other: Any) -> bool:
    """Whether two fitted codecs give the same codes."""
    if (type(one), one.name, one.dimension) != (type(other), other.name, other.dimension):
        return False
    return one.state.keys() == other.state.keys() and all(
        np.array_equal(array, other.state[name]) for name, array in one.state.items()
    )


def sample_rows(rows: NDArray[Any], without: NDArray[np.int64] | None = None) -> NDArray[Any]:
    """Return as many rows as a codec needs to be fitted, always the same: all of few, or all others."""
    numbers = np.arange(len(rows)) if without is None else np.delete(np.arange(len(rows)), without)
    if len(numbers) > FIT_ROWS:
        numbers = np.sort(np.random.default_rng(0).permutation(numbers)[:FIT_ROWS])
    chosen: NDArray[Any] = rows[numbers]
    return chosen


def fitted_copy(codec: C, rows: NDArray[Any]) -> C:
    """Return a copy of a codec fitted to a sample of rows (n, d): the given one may be fitted elsewhere to others."""
    fresh = copy(codec)
    fresh.fit(sample_rows(rows))
    return fresh


def _positive(value: Any) -> int:
    if type(value) is not int or value < 1:
        raise ValueError(f"dimension: expected a positive whole number, got {value!r:.200}")
    return value


def _two_dimensional(rows: ArrayLike) -> NDArray[Any]:
    """Return rows as they are: memory-mapped ones are not read yet."""
    given = np.asarray(as_rows(rows, "rows"))
    if given.ndim != 2 or not given.shape[1]:
        raise ValueError(f"rows: expected 2 dimensions (n, d), got shape {given.shape}")
    return given


def _finite(rows: NDArray[Any], first: int) -> Vectors:
    """Return rows as float32 without changing their length; `first` is the number of the first."""
    checked = np.ascontiguousarray(rows, dtype=np.float32)
    if not np.isfinite(checked).all():
        bad = first + int(np.flatnonzero(~np.isfinite(checked).all(axis=1))[0])
        raise ValueError(f"rows: expected finite values, got NaN or infinity (first in row {bad}); drop such rows")
    return checked
