from __future__ import annotations

import sys
import unicodedata

import pytest

from projhead.printable import fitted, printable


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


def test_a_table_wider_than_the_terminal_is_wrapped_and_loses_nothing() -> None:
    table = "| name | kept |\n|---|---|\n| a reducer of a long name | 91.1% [90.2%, 92.3%] |\n| pca | 80.0% |"
    text = f"before\n\n{table}\n\nafter"
    assert fitted(text, 80) == text
    assert fitted(text) == text  # which goes to a file
    lines = fitted(text, 30).splitlines()
    assert max(map(len, lines)) <= 30
    assert (lines[0], lines[-1]) == ("before", "after")
    shown = [word for word in " ".join(lines).split() if not set(word) <= {"-"}]
    assert sorted(shown) == sorted(word for word in text.split() if not set(word) <= {"|", "-"})
