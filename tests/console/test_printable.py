from __future__ import annotations

import sys
import unicodedata

import pytest

from projhead.console.printable import printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[2J\x1b]0;title\x07 gone", r"\x1b[2J\x1b]0;title\x07 gone"),
        ("one\r\ntwo\u2028three\x85four\tfive", "one two three four five"),
        ("\x9b31m red, \x00, \x7f", r"\x9b31m red, \x00, \x7f"),
        ("\u202eesrever\u2066", r"\u202eesrever\u2066"),
        ("half \ud800", r"half \ud800"),
        ("Ünïcödé 東京 🙂 👩‍🔬 می‌خواهم", "Ünïcödé 東京 🙂 👩‍🔬 می‌خواهم"),
    ],
)
def test_only_what_is_shown_comes_through(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_no_control_character_and_no_line_break_comes_through() -> None:
    everything = "".join(map(chr, range(sys.maxunicode + 1)))
    shown = printable(everything)
    assert not {character for character in shown if unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp")}
    assert len(shown.splitlines()) == 1
