from __future__ import annotations

from projhead.console.fitted import fitted


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
