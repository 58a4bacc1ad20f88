"""Read the texts of files as a list."""

from __future__ import annotations

from typing import Any

from projhead.corpora.files import TextFiles
from projhead.data import Document


def read_texts(path: str, *, split: str = "all", **options: Any) -> list[Document]:
    r"""Read the texts of files into memory.

    Parameters
    ----------
    path : str
        A .txt (one text a line), .jsonl, .json, .csv, .tsv or .parquet file, a folder or a glob of those.
    split : {"all", "train", "test"}
    **options
        As `projhead.corpora.files.TextFiles` takes them, which streams where memory does not suffice: `column`,
        `id_column`, `max_documents`, `skip_bad`, `encoding`.

    Raises
    ------
    FileNotFoundError, ValueError
        If there is no such file; if it cannot be read, or holds no or bad texts.

    Examples
    --------
    >>> from pathlib import Path
    >>> from projhead import read_texts
    >>> _ = Path("docs.txt").write_text("one text a line\nand another\n")
    >>> [document.text for document in read_texts("docs.txt")]
    ['one text a line', 'and another']
    """
    return list(TextFiles(path, **options).documents(split))
