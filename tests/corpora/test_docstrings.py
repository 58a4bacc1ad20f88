from __future__ import annotations

from pathlib import Path

import pytest

from projhead.corpora import docstrings
from projhead.corpora.docstrings import Docstrings, known_item

BODY = (
    "It walks over every {} of the given list, one after another, and returns a new list that holds all of those found."
)
SOURCE = '''
raise RuntimeError("imported, not parsed")

class Walker:
    """Walk over all {0} in a list.

    {1}
    """

    def same(self):
        """Walk over all {0} in a list.

        {1} This second one has the same summary.
        """

    def short(self):
        """Too short.

        {1} But the summary has only two words.
        """

    def bare(self):
        """Return the number of {0} that are there."""

    def copied(self):
        """Count how many {0} there are.

        Count how many {0} there are. That is what this method does, and it says so twice, which would be cheating.
        """

    def kept(self, path="\\d"):
        """Sort the {0} from smallest to largest.

        Parameters
        ----------
        path : str
            Where the sorted {0} are written to when they do not fit into memory, which happens on very small machines.
        """
'''


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two packages to parse, that must not be imported."""
    for name, things in (("train_fruit", "apples"), ("test_fruit", "pears")):
        (tmp_path / name / "tests").mkdir(parents=True)
        source = SOURCE.format(things, BODY.format(things))
        (tmp_path / name / "__init__.py").write_text(source)
        (tmp_path / name / "copy.py").write_text(source)  # a copy gives nothing new
        (tmp_path / name / "broken.py").write_text('"""x""" def')
        (tmp_path / name / "tests" / "test_it.py").write_text(source.replace(things, "tests"))
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(docstrings, "PACKAGES", ("train_fruit", "test_fruit", "not_installed"))
    docstrings._pairs.cache_clear()


@pytest.mark.usefixtures("packages")
def test_summaries_and_bodies_are_paired_without_repetition() -> None:
    corpus = Docstrings(test_packages=["test_fruit"])
    found = {pair.name.rpartition(".")[2]: pair for pair in corpus.pairs("train")}
    assert set(found) == {"Walker", "kept"}
    assert found["Walker"].summary == "Walk over all apples in a list."
    assert found["Walker"].body == BODY.format("apples")
    assert found["kept"].body.startswith("Where the sorted apples are written to")


@pytest.mark.usefixtures("packages")
def test_packages_are_on_one_side() -> None:
    corpus = Docstrings(test_packages=["test_fruit", "not_installed"])
    train, test = ([document.id for document in corpus.documents(split)] for split in ("train", "test"))
    assert {name.split(".")[0] for name in train} == {"train_fruit"}
    assert {name.split(".")[0] for name in test} == {"test_fruit"}
    assert [document.id for document in corpus.documents("all")] == train + test


@pytest.mark.usefixtures("packages")
def test_bodies_are_cut_and_limits_kept() -> None:
    corpus = Docstrings(test_packages=["test_fruit"], max_train=1, max_words=20)
    [pair] = corpus.pairs("train")
    assert len(pair.body.split()) == 20


@pytest.mark.usefixtures("packages")
def test_nothing_found_is_said() -> None:
    with pytest.raises(ValueError, match=r"no docstrings: expected the sources .* of one of not_installed; install"):
        Docstrings(test_packages=["not_installed"]).pairs("test")
    with pytest.raises(ValueError, match="expected one of train, test, all, got 'dev'"):
        Docstrings().pairs("dev")


def test_the_known_items_of_this_machine_are_many_and_findable() -> None:
    docstrings._pairs.cache_clear()
    items = known_item()
    bodies = {document.id: document.text for document in items.corpus}
    assert len(items.queries) >= 1000
    assert len({query.text for query in items.queries}) == len(items.queries)
    assert len(set(bodies.values())) == len(bodies) == len(items.queries)
    assert not any(query.text.rstrip(".").lower() in bodies[query.id].lower() for query in items.queries)
    assert {name.split(".")[0] for name in bodies} == {"numpy", "scipy", "sklearn"}
    # A bag of words finds far more than the one in a thousand that chance would.
    words = {name: set(text.lower().split()) for name, text in bodies.items()}
    hits = 0
    for query in items.queries[::10]:
        asked = set(query.text.lower().split())
        best = max(words, key=lambda name: len(asked & words[name]) / len(words[name]))
        hits += best == query.id
    assert hits > 0.05 * len(items.queries[::10])
