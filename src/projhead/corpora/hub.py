"""A data set of the hub, streamed."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from projhead.corpora.files import documents_of
from projhead.corpora.split import select
from projhead.protocols import Document


class HubDataset:
    """Texts of a hub data set; nothing but data is loaded, never its code.

    Parameters
    ----------
    path : str
        Owner and name.
    name : str, optional
        Configuration.
    split : str
        The hub's split that is read.
    column : str
        The column of the texts.
    revision : str, optional
        A commit to pin.
    test_fraction : float
        Share of the texts held out as our split "test".
    max_documents : int, optional
        Stop after so many.
    """

    def __init__(
        self,
        path: str,
        *,
        name: str | None = None,
        split: str = "train",
        column: str = "text",
        revision: str | None = None,
        test_fraction: float = 0.1,
        max_documents: int | None = None,
    ) -> None:
        self.path, self.configuration, self.hub_split, self.column = path, name, split, column
        self.revision, self.test_fraction, self.max_documents = revision, test_fraction, max_documents
        self.name = path.rsplit("/", 1)[-1]

    def documents(self, split: str) -> Iterator[Document]:
        """Stream the documents of split "train", "test" or "all"."""
        import datasets

        rows = datasets.load_dataset(
            self.path, self.configuration, split=self.hub_split, revision=self.revision, streaming=True
        )
        return select(islice(documents_of(iter(rows), self.column, None), self.max_documents), split, self.test_fraction)
