"""Vectors that were made elsewhere, by an API for example."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from projhead.corpora.files import TextFiles
from projhead.files import sha256_of
from projhead.vectors import Vectors, unit_rows


class Precomputed:
    """Rows of a file as an encoder that knows only the texts they were made from.

    Parameters
    ----------
    path : str
        .npy (memory-mapped), .safetensors (the tensor ``embedding``, or the only one) or .parquet (column
        ``embedding``).
    texts : str, optional
        A file that `TextFiles` reads, one text per row in the same order. Without it a row's text is its number.
    name : str, optional
        What to call the encoder that made the vectors.

    Attributes
    ----------
    rows : ndarray of shape (n, d), float16, float32 or float64
        As they are in the file.
    """

    def __init__(self, path: str, *, texts: str | None = None, name: str | None = None) -> None:
        self.path, self.texts = str(path), texts
        self.name = name or Path(self.path).stem
        self.rows = _load(Path(self.path))
        if self.rows.ndim != 2 or not np.issubdtype(self.rows.dtype, np.floating):
            raise ValueError(f"{path}: expected floats of shape (n, d), got {self.rows.dtype} of shape {self.rows.shape}")
        self.dimension = int(self.rows.shape[1])

    @cached_property
    def revision(self) -> str:
        """Digest of the file."""
        return sha256_of(Path(self.path))[:16]

    def texts_or_rows(self) -> list[str]:
        """Return the text of each row; where there are no texts, a digest of the row stands in.

        Raises
        ------
        ValueError
            If there are not as many texts as rows.
        """
        if self.texts is None:
            return [hashlib.sha256(row.tobytes()).hexdigest() for row in self.rows]
        texts = [document.text for document in TextFiles(self.texts).documents("all")]
        if len(texts) != len(self.rows):
            raise ValueError(f"{self.texts}: expected {len(self.rows)} texts, one per row of {self.path}, got {len(texts)}")
        return texts

    @cached_property
    def _positions(self) -> dict[str, int]:
        return {text: position for position, text in enumerate(self.texts_or_rows())}

    def encode(self, texts: Sequence[str], *, show_progress: bool = False) -> Vectors:
        """Return the unit rows (n, d), float32, of texts that the file has vectors of.

        Raises
        ------
        ValueError
            If there is no vector of a text: the encoder itself is not here.
        """
        try:
            positions = [self._positions[text] for text in texts]
        except KeyError as error:
            raise ValueError(
                f"{self.path} has no vector of the text {str(error.args[0])[:80]!r}: precomputed vectors cannot encode "
                "new texts"
                + ("" if self.texts else "; name the file of their texts with encoder.texts=...")
            ) from None
        return unit_rows(self.rows[positions])


def _load(path: Path) -> NDArray[Any]:
    """Read rows from a file; memory-mapped where the format allows it."""
    if not path.is_file():
        raise FileNotFoundError(f"encoder.path: no file {path}; expected .npy, .safetensors or .parquet")
    try:
        if path.suffix == ".npy":
            rows: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
            return rows
        if path.suffix == ".safetensors":
            from safetensors.numpy import load_file

            tensors = load_file(path)
            if "embedding" not in tensors and len(tensors) != 1:
                raise ValueError(f"expected one tensor, or one called 'embedding', got {sorted(tensors)}")
            return tensors.get("embedding", next(iter(tensors.values())))
        if path.suffix == ".parquet":
            import pyarrow.parquet as pq

            column = pq.read_table(path, columns=["embedding"])["embedding"].combine_chunks()
            return np.asarray(column.flatten()).reshape(len(column), -1)
    except Exception as error:  # numpy, pyarrow and safetensors raise many kinds for a damaged file
        raise ValueError(f"{path} cannot be read: {error}") from error
    raise ValueError(f"{path}: expected .npy, .safetensors or .parquet")
