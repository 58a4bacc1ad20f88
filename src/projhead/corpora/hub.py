"""A data set of the hub, streamed."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

from projhead.corpora.readers import checked
from projhead.corpora.split import documents_of, select
from projhead.data import Document
from projhead.settings.ranges import Count, Part


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
    skip_bad : bool
        Leave out texts that are blank or not UTF-8, which are an error otherwise.
    """

    def __init__(
        self,
        path: str,
        *,
        name: str | None = None,
        split: str = "train",
        column: str = "text",
        revision: str | None = None,
        test_fraction: Part = 0.1,
        max_documents: Count | None = None,
        skip_bad: bool = False,
    ) -> None:
        self.path, self.configuration, self.hub_split, self.column = path, name, split, column
        self.revision, self.test_fraction, self.max_documents = revision, test_fraction, max_documents
        self.skip_bad = skip_bad
        self.name = path.rsplit("/", 1)[-1]

    def documents(self, split: str) -> Iterator[Document]:
        """Stream the documents of split "train", "test" or "all".

        Raises
        ------
        FileNotFoundError
            If the hub does not give the data set.
        ValueError
            If the column is missing, or texts are bad.
        """
        rows = load_hub(self.path, self.configuration, self.hub_split, self.revision, streaming=True)
        found = documents_of(
            checked(iter(rows), {self.column: "corpus.column"}, self.path),
            self.column,
            None,
            skip_bad=self.skip_bad,
            source=self.path,
        )
        return select(islice(found, self.max_documents), split, self.test_fraction)


def load_hub(path: str, name: str | None, split: str, revision: str | None = None, *, streaming: bool) -> Any:
    """Load a data set of the hub.

    Raises
    ------
    FileNotFoundError
        If the hub does not give it; with what to do.
    """
    import datasets
    from huggingface_hub import HfApi, constants

    try:
        if not constants.HF_HUB_OFFLINE:  # asked once: the loader itself tries for half a minute
            HfApi().dataset_info(path, revision=revision, timeout=10)
        return datasets.load_dataset(path, name, split=split, revision=revision, streaming=streaming)
    except Exception as error:  # of datasets, the hub's client and whichever http library it uses
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise FileNotFoundError(
            f"{path!r} is nothing here, and the hub does not give it: {reason}; check the name and the "
            "connection, give a local path, or set HF_HUB_OFFLINE=1 to use what was downloaded before"
        ) from error
