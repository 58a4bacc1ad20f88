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
    strangers = [texts] if isinstance(texts, str) else [text for text in texts if not isinstance(text, str)]
    if strangers:
        raise TypeError(f"texts: expected a list of str, got {type(strangers[0]).__name__} {strangers[0]!r:.80}")
    return [text.encode("utf-8", "replace").decode("utf-8") for text in texts]
