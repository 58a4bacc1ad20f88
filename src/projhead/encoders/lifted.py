"""Rows whose lengths matter, as unit rows: a document's length becomes one more coordinate.

With L the longest that a document's row may be, a document x becomes ``(x / L, sqrt(1 - |x|^2 / L^2))`` and a query q
becomes ``(q / |q|, 0)``. Both are unit rows, and their inner product is that of q and x, divided by ``L |q|``: each
query ranks documents as exact search with lengths does (Neyshabur and Srebro, "On Symmetric and Asymmetric LSHs for
Inner Product Search", 2015). Heads, codecs, indexes and tasks take unit rows, and so keep lengths without knowing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from projhead.vectors import Vectors, unit_rows

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer


def lengths_matter(model: SentenceTransformer) -> bool:
    """Say whether a model was trained for inner products of rows that it does not make unit length."""
    return str(model.similarity_fn_name) == "dot" and not ends_in_unit_rows(model)


def expect_none(encoder: object, what: str) -> None:
    """Refuse a teacher whose rows' lengths matter.

    Raises
    ------
    ValueError
        If it is one; `what` is what cannot be.
    """
    if getattr(encoder, "longest", None) is not None:
        raise ValueError(
            f"{what}: expected a teacher of unit rows, got one whose lengths matter (longest={encoder.longest}): stock "  # type: ignore[attr-defined]
            "tools do not keep them through a head. train, evaluate, encode, index and search do; or put a Normalize "
            "behind the model and train anew"
        )


def ends_in_unit_rows(model: SentenceTransformer) -> bool:
    """Say whether the last thing that a model does is to make rows unit length."""
    from sentence_transformers.sentence_transformer.modules import Normalize

    return isinstance(list(model)[-1], Normalize)


def lifted(rows: Vectors, longest: float, *, documents: bool) -> Vectors:
    """Return unit rows (n, d + 1), float32, of rows (n, d).

    Parameters
    ----------
    rows : ndarray of shape (n, d), float32
    longest : float
        Length that no document's row exceeds.
    documents : bool
        Whether they are searched; rows that ask have no length.

    Raises
    ------
    ValueError
        If a document's row is longer, or values are not finite.
    """
    whole = np.zeros((len(rows), rows.shape[1] + 1), np.float32)
    whole[:, :-1] = unit_rows(rows)
    if documents:
        length = np.linalg.norm(rows.astype(np.float64), axis=1) / longest
        if (length > 1).any():
            raise ValueError(
                f"longest: got {longest:g}, and a document's row of length {length.max() * longest:.4g}; set a length "
                f"that none exceeds, such as encoder.longest={length.max() * longest * 1.25:.2g}, and encode again"
            )
        whole[:, :-1] *= length[:, None].astype(np.float32)
        whole[:, -1] = np.sqrt(1 - length**2)
    return whole
