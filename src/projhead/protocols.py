"""What an encoder, a reducer, a task, a codec, an index and an exporter must do."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeVar, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from projhead.data import Document, Footprint, Scores
from projhead.persistence.identity import EncoderIdentity
from projhead.vectors import Vectors

Item = TypeVar("Item")
Result = TypeVar("Result")


@runtime_checkable
class Encoder(Protocol):
    """Texts to unit rows: a teacher, a teacher with a reducer, an exported student, vectors made elsewhere.

    It encodes queries and documents in two ways: many teachers have a prompt, or a network, for each.

    Attributes
    ----------
    name : str
        For people.
    identity : EncoderIdentity
        What decides the vectors; two encoders of equal identity give the same rows, but for what they compute in.
    dimension : int
        Width of the rows.
    two_sided : bool
        Whether the sides differ; where not, all three ways give the same rows.
    """

    @property
    def name(self) -> str: ...  # noqa: D102

    @property
    def identity(self) -> EncoderIdentity: ...  # noqa: D102

    @property
    def dimension(self) -> int: ...  # noqa: D102

    @property
    def two_sided(self) -> bool: ...  # noqa: D102

    def encode_query(self, texts: Sequence[str], *, show_progress: bool = False) -> Vectors:
        """Return unit rows (n, dimension), float32, of texts that ask, in the order of `texts`."""
        ...

    def encode_document(self, texts: Sequence[str], *, show_progress: bool = False) -> Vectors:
        """Return unit rows (n, dimension), float32, of texts that are searched, in the order of `texts`."""
        ...

    def encode(self, texts: Sequence[str], *, show_progress: bool = False) -> Vectors:
        """Return unit rows (n, dimension), float32, of texts that neither ask nor are searched, in their order."""
        ...


@runtime_checkable
class Storing(Protocol):
    """An encoder whose documents are stored in fewer bytes."""

    def stored(self, rows: Vectors) -> Vectors:
        """Return what is left of unit rows (n, d) once they are stored, unit rows (n, d), float32."""
        ...


class Corpus(Protocol):
    """Texts to train on or to encode, with a part kept apart for testing."""

    name: str

    def documents(self, split: str) -> Iterator[Document]:
        """Stream the documents of split "train", "test" or "all"."""
        ...


class Task(Protocol):
    """A measurement that any encoder can take."""

    def run(self, encoder: Encoder, teacher: Encoder) -> Iterator[Scores]:
        """Measure `encoder`; `teacher` is the full-width reference, for tasks that compare with it."""
        ...


class Codec(Protocol):
    """Stores unit rows as codes of fewer bytes, and decodes them to approximate unit rows.

    Attributes
    ----------
    name : str
        In tables; what differs in bytes differs in name.
    learns : bool
        Whether `fit` learns anything but the width.
    clipped : int
        How many values lay outside the range that `fit` saw, in all calls of `encode` since.
    """

    @property
    def name(self) -> str: ...  # noqa: D102

    @property
    def learns(self) -> bool: ...  # noqa: D102

    @property
    def clipped(self) -> int: ...  # noqa: D102

    def bytes_per_vector(self, dimension: int) -> int:
        """Return what one row of a width takes; raise ValueError where rows of that width cannot be stored so."""
        ...

    def fit(self, rows: ArrayLike) -> Any:
        """Learn from rows (n, d)."""
        ...

    def encode(self, rows: ArrayLike) -> NDArray[Any]:
        """Return codes (n, items)."""
        ...

    def decode(self, codes: NDArray[Any]) -> Vectors:
        """Return unit rows (n, d), float32; their inner product with a float query is the code's score."""
        ...

    def save(self, path: Path) -> None:
        """Write the fitted codec as a folder, whole or not at all."""
        ...


@runtime_checkable
class ScoringCodec(Protocol):
    """A codec that compares codes with queries without bringing them back first."""

    def similarities(self, queries: Vectors, codes: NDArray[Any]) -> Vectors:
        """Return the inner products (q, n), float32, of unit queries (q, d) with what the codes (n, items) say."""
        ...


@runtime_checkable
class Rows(Protocol):
    """Vectors that need not fit into memory: a store, or an array.

    Attributes
    ----------
    dimension : int
    """

    @property
    def dimension(self) -> int: ...  # noqa: D102

    def __len__(self) -> int: ...

    def blocks(self) -> Iterator[NDArray[Any]]:
        """Yield all rows in order, (rows, dimension), float."""
        ...

    def take(self, numbers: Sequence[int] | NDArray[np.int64]) -> NDArray[Any]:
        """Return some rows (n, dimension) by their numbers."""
        ...


@runtime_checkable
class CodedRows(Rows, Protocol):
    """Rows that may be there as codes.

    Attributes
    ----------
    codec : Codec or None
        What wrote the codes; None where rows are floats.
    """

    @property
    def codec(self) -> Codec | None: ...  # noqa: D102

    def codes(self) -> Iterator[NDArray[Any]]:
        """Yield all codes in order."""
        ...


class Index(Protocol):
    """Unit rows in, nearest neighbors by inner product out.

    Attributes
    ----------
    nbytes : int
        Bytes held in memory, memory-mapped files not counted.
    """

    @property
    def nbytes(self) -> int: ...  # noqa: D102

    def __len__(self) -> int: ...

    def build(self, rows: Rows | ArrayLike, ids: ArrayLike | None = None) -> Any:
        """Train on and add all rows; ids are 0 to n - 1 where not given."""
        ...

    def add(self, rows: Rows | ArrayLike, ids: ArrayLike | None = None) -> Any:
        """Add rows; ids go on after the largest where not given."""
        ...

    def delete(self, ids: ArrayLike) -> int:
        """Delete rows by id; return how many. Raise ValueError where this kind of index cannot."""
        ...

    def search(
        self, queries: ArrayLike, top_k: int, *, filter_ids: ArrayLike | None = None
    ) -> tuple[Vectors, NDArray[np.int64]]:
        """Return scores and ids, both (q, top_k), best first; -inf and -1 where nothing was found."""
        ...

    def save(self, path: Path) -> None:
        """Write the index as a folder, whole or not at all."""
        ...

    def load(self, path: Path) -> Any:
        """Read what `save` wrote; raise ValueError where any byte of it changed."""
        ...

    def footprint(self, n: int, dimension: int) -> Footprint:
        """Return what `n` rows of a width would take."""
        ...


class Engine(Protocol):
    """Applies a function to many items, here or elsewhere."""

    def map(self, function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        """Yield what `function` makes of every item, in order; few items are taken before the oldest is done.

        Elsewhere the function, with all that it holds, and the items are pickled.
        """
        ...


class Exporter(Protocol):
    """A student, or a head alone, on disk in a form that other tools load.

    Attributes
    ----------
    title, usage : str
        What it is, for the card, and a snippet that uses the written `folder`.
    encoder : type or None
        The class of `projhead.encoders` that runs the written folder; None where it takes a reducer and vectors, for
        the head alone, instead of a student and texts.
    form : str or None
        What consumers take the folder for, see `projhead.exporters.consumers`; None of a head alone.
    min_mean_cosine : float
        Parity below which an export is refused, where the user sets no other.
    """

    title: str
    usage: str
    min_mean_cosine: float

    @property
    def form(self) -> str | None: ...  # noqa: D102

    @property
    def encoder(self) -> type[Any] | None: ...  # noqa: D102

    def write(self, subject: Any, folder: Path, items: Any) -> Callable[[Any], Vectors]:
        """Write `subject` into the existing folder; return a function that reads the written files.

        `items` are real texts (or vectors) for calibration. The caller measures parity through what is returned.
        """
        ...
