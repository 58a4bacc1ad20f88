"""Make foreign text safe to print."""

from __future__ import annotations

import re

#: What a terminal obeys, breaks a line at or turns the direction of writing by (Unicode's Bidi_Control), and halves of
#: characters, which no terminal takes.
_UNSAFE = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufeff]")


def printable(text: str) -> str:
    r"""Return a text as one line that a terminal only shows: white space as blanks, ``\x1b`` and its like written out.

    A document may hold escape sequences that clear the screen, retitle the window or write to the clipboard.
    """
    return _UNSAFE.sub(lambda found: found[0].encode("unicode_escape").decode(), " ".join(text.split()))
