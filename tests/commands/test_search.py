"""The ways to ask an index, each held to the same answer by another."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from projhead.cli import VERBS
from projhead.collection import Collection
from projhead.commands.completion import candidates
from projhead.commands.conf import help_of
from projhead.commands.in_process import run_verb
from projhead.data import Document
from projhead.encoders.precomputed import Precomputed
from projhead.errors import UserError
from projhead.store.write import write_store
from projhead.vectors import Vectors

TEXTS = [f"{number}" for number in range(200)]


@pytest.fixture(scope="module")
def place(rows: Vectors, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("search")
    np.save(place / "rows.npy", rows[:200])
    (place / "texts.txt").write_text("\n".join(TEXTS))
    encoder = Precomputed(str(place / "rows.npy"), texts=str(place / "texts.txt"))
    documents = (Document(f"doc {text}", text) for text in TEXTS)
    Collection.build(write_store(place / "store", encoder, documents, dtype="float32"), "exact", out=place / "index")
    return place


@pytest.fixture
def answers(place: Path, capsys: pytest.CaptureFixture[str]) -> object:
    def ask(*overrides: str) -> list[dict[str, object]]:
        run_verb("search", [f"index={place / 'index'}", "json=true", *overrides], place)
        return [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    return ask


def test_text_number_file_and_vector_find_the_same(place: Path, rows: Vectors, answers: object) -> None:
    expected = Collection.open(place / "index").search(TEXTS[7], 3)
    np.save(place / "one.npy", rows[7])
    np.save(place / "two.npy", rows[[3, 7]].astype(np.float64))
    (place / "queries.txt").write_text("3\n\n7\n")
    ways = ["query=7", "query='7'", "query=[3,7]", f"queries={place / 'queries.txt'}"]
    for way in [*ways, f"vector={place / 'one.npy'}", f"vector={place / 'two.npy'}"]:
        found = answers(way, "top_k=3")  # type: ignore[operator]
        assert [hit["id"] for hit in found[-1]["hits"]] == [hit.id for hit in expected], way
        assert len(found) == (2 if "[" in way or "queries" in way or "two" in way else 1)


def test_a_document_finds_its_others(place: Path, answers: object) -> None:
    first, second = answers("id=['doc 7','doc 9']", "top_k=4")  # type: ignore[operator]
    expected = [hit.id for hit in Collection.open(place / "index").search(TEXTS[7], 5)][1:]
    assert first["query"] == "doc 7"
    assert [hit["id"] for hit in first["hits"]] == expected
    assert "doc 9" not in [hit["id"] for hit in second["hits"]]


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        ([], "expected query=..., queries=..., id=... or vector=..., got none of them"),
        (["query=x", "id=y"], "got query and id; give one"),
        (["id=nobody"], "'nobody' is not in the index"),
        (["id=doc 1", "filter_ids=[doc 2]"], "filter_ids, where: expected a query or a vector"),
        (["vector=texts.txt"], "texts.txt: expected a whole .npy file of numbers"),
    ],
)
def test_what_cannot_be_asked_is_said(
    overrides: list[str], said: str, place: Path, answers: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(place)
    with pytest.raises(ValueError, match=said.replace("(", r"\(")):
        answers(*overrides)  # type: ignore[operator]


def test_help_tells_more_of_a_group() -> None:
    assert "codec.quantile=0.9999" in help_of("train", "codec")
    with pytest.raises(UserError, match=r"no group of projhead train.*did you mean codec"):
        help_of("train", "codecs")


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("projhead tr", ["train"]),
        ("projhead train encoder=mi", ["minilm"]),
        ("projhead encode enc", ["encoder="]),
        ("projhead train n_components=64 ckp", ["ckpt_path="]),
        ("projhead nothing x", []),
    ],
)
def test_a_shell_completes_what_there_is(typed: str, expected: list[str]) -> None:
    assert candidates(typed, list(VERBS)) == expected
