"""Clean texts before an encoder reads them."""

from __future__ import annotations

from collections.abc import Sequence


def clean_texts(texts: Sequence[str]) -> list[str]:
    """Return `texts` with each lone surrogate, which UTF-8 cannot hold, as ``?``.

    Raises
    ------
    TypeError
        If `texts` is one string, or something in it is not a string.
    """
    if isinstance(texts, str):
        raise _refused(texts)
    return [clean_text(text) for text in texts]


def clean_text(text: str) -> str:
    """Return one text as `clean_texts` does."""
    if not isinstance(text, str):
        raise _refused(text)
    return text.encode("utf-8", "replace").decode("utf-8")


def _refused(got: object) -> TypeError:
    return TypeError(f"texts: expected a list of str, got {type(got).__name__} {got!r:.80}")
