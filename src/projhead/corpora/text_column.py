"""Many texts that no memory has to hold."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from hashlib import blake2b
from itertools import compress, islice
from tempfile import NamedTemporaryFile
from typing import overload

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

#: Texts that are in memory at once.
_BLOCK = 8192
#: Bytes, as a lone surrogate is no text of Arrow's; large, as a block may pass 2 GB.
_SCHEMA = pa.schema({"text": pa.large_binary()})


class TextColumn(Sequence[str]):
    """Texts in a temporary file that has no name, memory-mapped: the system may drop its pages at any time.

    Parameters
    ----------
    texts : iterable of str, or pyarrow.ChunkedArray
        Read once. A column of strings, such as a store's, is not copied.
    """

    def __init__(self, texts: Iterable[str] | pa.ChunkedArray) -> None:
        self.column = texts.cast(pa.large_binary()) if isinstance(texts, pa.ChunkedArray) else _written(texts)

    def __len__(self) -> int:
        return len(self.column)

    @overload
    def __getitem__(self, number: int) -> str: ...
    @overload
    def __getitem__(self, number: slice) -> list[str]: ...
    def __getitem__(self, number: int | slice) -> str | list[str]:
        found = self.column[number if isinstance(number, slice) else int(number)]
        return [_text(one) for one in found.to_pylist()] if isinstance(number, slice) else _text(found.as_py())

    def __iter__(self) -> Iterator[str]:
        for start in range(0, len(self), _BLOCK):
            yield from self[start : start + _BLOCK]

    def once(self) -> tuple[TextColumn, NDArray[np.int64]]:
        """Return the texts without repetitions, in the order of their first places, and the numbers of those."""
        digests = np.empty(len(self), "S16")
        for number, text in enumerate(self):
            digests[number] = blake2b(_bytes(text), digest_size=16).digest()
        new = np.zeros(len(self), bool)
        new[np.unique(digests, return_index=True)[1]] = True
        return self if new.all() else TextColumn(compress(self, new)), np.flatnonzero(new)


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _text(stored: bytes) -> str:
    return stored.decode("utf-8", "surrogatepass")


def _written(texts: Iterable[str]) -> pa.ChunkedArray:
    stream = iter(texts)
    with NamedTemporaryFile(prefix="projhead-") as file:
        with pa.OSFile(file.name, "wb") as sink, pa.ipc.new_stream(sink, _SCHEMA) as out:
            while block := [_bytes(text) for text in islice(stream, _BLOCK)]:
                out.write_batch(pa.record_batch([pa.array(block, pa.large_binary())], _SCHEMA))
        return pa.ipc.open_stream(pa.memory_map(file.name)).read_all()["text"]
