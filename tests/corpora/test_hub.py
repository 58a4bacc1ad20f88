from __future__ import annotations

from typing import Any

import datasets
import huggingface_hub
import pytest

from projhead.corpora.hub import HubDataset
from projhead.data import Document


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """A hub with one data set; what it is asked for is kept."""
    asked: list[Any] = []

    def load_dataset(*args: Any, **options: Any) -> Any:
        asked.append((args, options))
        return datasets.Dataset.from_dict({"body": ["a", "b", "c"], "n": [1, 2, 3]}).to_iterable_dataset()

    monkeypatch.setattr(huggingface_hub.HfApi, "dataset_info", lambda *args, **options: None)
    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    return asked


def test_a_column_is_streamed_from_the_pinned_commit(hub: list[Any]) -> None:
    corpus = HubDataset("owner/set", name="en", split="dev", column="body", revision="abc", max_documents=2)
    assert list(corpus.documents("all")) == [Document("0", "a"), Document("1", "b")]
    assert hub == [(("owner/set", "en"), {"split": "dev", "revision": "abc", "streaming": True})]
    assert corpus.name == "set"


@pytest.mark.usefixtures("hub")
def test_a_missing_column_is_named() -> None:
    with pytest.raises(ValueError, match=r"owner/set, after 0 rows: expected a column 'text', got 'body', 'n'"):
        list(HubDataset("owner/set").documents("all"))


def test_a_hub_that_does_not_answer_is_told_at_once_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: Any, **options: Any) -> None:
        raise ConnectionError("Name or service not known\nand more")

    monkeypatch.setattr(huggingface_hub.HfApi, "dataset_info", refuse)
    monkeypatch.setattr(datasets, "load_dataset", lambda *args, **options: pytest.fail("it was asked again"))
    with pytest.raises(FileNotFoundError, match=r"Name or service not known; check .* give a local path") as caught:
        list(HubDataset("owner/set").documents("all"))
    assert "\n" not in str(caught.value)
