from __future__ import annotations

import pytest

from projhead.corpora.queries import pseudo_queries, sentences


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("A title line\n\nFirst one. Second (e.g. this) one! Third?", 
         ["A title line", "First one.", "Second (e.g. this) one!", "Third?"]),
        ("Ends with 3.5 points. École starts. Ещё одно.", ["Ends with 3.5 points.", "École starts.", "Ещё одно."]),
        ("これは文です。次の文です。", ["これは文です。", "次の文です。"]),
        ("cut into words . in lower case", ["cut into words .", "in lower case"]),
        ("one\nwrapped   line", ["one wrapped line"]),
        (" \n\n ", []),
    ],
)  # fmt: skip
def test_sentences(text: str, expected: list[str]) -> None:
    assert sentences(text) == expected


def test_first_sentence_and_a_seeded_choice_of_the_others() -> None:
    text = "The very first one. " + " ".join(f"Sentence number {i} here." for i in range(20))
    queries = pseudo_queries([text], per_text=4, seed=1).texts[:]
    assert queries == pseudo_queries([text], per_text=4, seed=1).texts[:]
    assert queries[0] == "The very first one."
    assert len(queries) == 4
    assert queries == sorted(queries, key=text.index)  # in the order of the document
    drawn = {tuple(pseudo_queries([text], per_text=4, seed=seed).texts) for seed in range(5)}
    assert len(drawn) > 1


def test_only_lengths_of_queries_and_no_repetition() -> None:
    long = " ".join(["word"] * 41) + "."
    documents = [
        f"Too short. {long} This one is right. Yes.",
        "Alone it would be its own query.",
        "This one is right. No.",
    ]
    queries = pseudo_queries(documents)
    assert list(queries.texts) == ["This one is right."]
    assert queries.documents is not None
    assert queries.documents.tolist() == [0]
