"""Turn rows whose lengths matter into unit rows with one more coordinate.

With L the longest that a document's row may be, a document x becomes ``(x / L, sqrt(1 - |x|^2 / L^2))`` and a query q
becomes ``(q / |q|, 0)``. Both are unit rows, and their inner product is that of q and x, divided by ``L |q|``: each
query ranks documents as exact search with lengths does (Neyshabur and Srebro, "On Symmetric and Asymmetric LSHs for
Inner Product Search", 2015). Heads, codecs, indexes and tasks take unit rows, and so keep lengths without knowing.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from projhead.persistence.identity import EncoderIdentity
from projhead.vectors import Vectors, unit_rows

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

#: How much longer than those looked at a document's row may be; where single tokens were looked at. Too much costs
#: heads some neighbors, and exact search nothing.
_MARGIN, _MARGIN_OF_TOKENS = 1.5, 1.25
#: Tokens of a vocabulary that are looked at: one alone, of which nothing is averaged, makes a long row.
_TOKENS = 256
_BLOCK = 65_536
_SENTENCES = ("A sentence.", "How are the lengths of rows kept, and where?", "1,234.5 €; 東京", "word " * 300)


def lengths_matter(model: SentenceTransformer) -> bool:
    """Say whether a model was trained for inner products of rows that it does not make unit length."""
    return str(model.similarity_fn_name) == "dot" and not ends_in_unit_rows(model)


def ends_in_unit_rows(model: SentenceTransformer) -> bool:
    """Say whether the last thing that a model does is to make rows unit length."""
    from sentence_transformers.sentence_transformer.modules import Normalize

    return isinstance(list(model)[-1], Normalize)


def longest_of(model: SentenceTransformer) -> float:
    """Return a length that rows of documents hardly exceed: a quarter more than that of any token or short sentence.

    It has two digits, so that machines agree.
    """
    tokenizer: Any = model.tokenizer
    vocabulary = sorted(tokenizer.get_vocab()) if hasattr(tokenizer, "get_vocab") else []
    texts = [*_SENTENCES, *vocabulary[:: max(len(vocabulary) // _TOKENS, 1)]]
    rows = model.encode_document(texts, normalize_embeddings=False, show_progress_bar=False)
    return longest_for(float(np.linalg.norm(rows, axis=1).max()), _MARGIN_OF_TOKENS)


def longest_for(found: float, margin: float = _MARGIN) -> float:
    """Return a length of two digits that rows hardly exceed where the longest of some is `found`."""
    length = margin * found
    unit = 10.0 ** (math.floor(math.log10(length)) - 1)
    return float(f"{math.ceil(length / unit) * unit:.6g}")


def nearer(encoder: EncoderIdentity, rows: Any) -> str:
    """Return a hint where documents are far shorter than the longest length; an empty string elsewhere.

    Parameters
    ----------
    encoder : EncoderIdentity
    rows : array of shape (n, d)
        Its rows of documents.
    """
    if not encoder.longest or not len(rows):
        return ""
    shortest = min(float(np.asarray(rows[start : start + _BLOCK, -1]).min()) for start in range(0, len(rows), _BLOCK))
    found = encoder.longest * math.sqrt(max(1 - shortest**2, 0))
    if not 0 < found < encoder.longest / 2:
        return ""
    return (
        f"the longest row here is {found:.3g}, and longest={encoder.longest:g}: if others are no longer, "
        f"encoder.longest={longest_for(found, 1.1):g} lets heads keep more"
    )


def agree(encoder: Any, known: EncoderIdentity | None) -> None:
    """Give an encoder without a declared longest length the one that its record has.

    Another file of a model's vectors has another longest row, and belongs to the same head nevertheless.
    """
    if known is not None and known.longest and getattr(encoder, "longest_found", False):
        encoder.longest = known.longest


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
                f"that none exceeds, such as encoder.longest={longest_for(length.max() * longest):g}, for all that is "
                "trained, encoded and asked"
            )
        whole[:, :-1] *= length[:, None].astype(np.float32)
        whole[:, -1] = np.sqrt(1 - length**2)
    return whole


def asking(rows: Vectors, encoder: EncoderIdentity) -> Vectors:
    """Turn rows of documents into rows of queries: where lengths matter, theirs are dropped.

    Rows of the model itself, one coordinate narrower, are taken too.

    Parameters
    ----------
    rows : ndarray of shape (n, d) or, of the model itself, (n, d - 1)
    encoder : EncoderIdentity
        Whose they are.
    """
    if not encoder.longest or rows.ndim != 2 or rows.shape[1] not in (encoder.dimension - 1, encoder.dimension):
        return rows
    return lifted(rows[:, : encoder.dimension - 1], encoder.longest, documents=False)
