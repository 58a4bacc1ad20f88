"""Docstrings of installed packages: English text that every machine has.

Sources are parsed, never imported. A docstring's summary line describes its body, which makes a retrieval
task: known-item search (Azzopardi et al., "Building simulated queries for known-item topics", 2007).
"""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import inspect
import warnings
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

from projhead.corpora.prose import prose
from projhead.corpora.retrieval import RetrievalSet
from projhead.corpora.split import SPLITS
from projhead.data import Document
from projhead.settings.ranges import Count

#: Installed with projhead, directly or through its requirements.
PACKAGES = (
    "datasets", "faiss", "fsspec", "huggingface_hub", "hydra", "networkx", "numpy", "omegaconf", "pandas",
    "pyarrow", "pytorch_lightning", "scipy", "sentence_transformers", "sklearn", "sympy", "torch",
    "torchmetrics", "transformers",
)  # fmt: skip

_MIN_SUMMARY_WORDS, _MIN_BODY_WORDS = 4, 20
#: Characters: a longer first paragraph is not a summary.
_MAX_SUMMARY = 200
_SKIPPED_FOLDERS = {
    "tests",
    "test",
    "testing",
    "_vendor",
    "vendor",
    "externals",
    "array_api_extra",
    "array_api_compat",
}
#: Largest source file that is parsed: above, parsing takes most of the time for few docstrings more.
_MAX_SOURCE_BYTES = 50_000


class Docstring(NamedTuple):
    """A dotted name, the first line's sentence, and the text below it."""

    name: str
    summary: str
    body: str


class Docstrings:
    """Bodies of docstrings, split by package into train and test.

    Parameters
    ----------
    max_train, max_test : int
        Documents of each split, at most.
    max_words : int
        Words of a body that are kept.
    test_packages : sequence of str
        Packages held out for testing; those among them that are not installed are passed over.
    """

    name = "docstrings"

    def __init__(
        self,
        *,
        max_train: Count = 2500,
        max_test: Count = 1000,
        max_words: Count = 80,
        test_packages: Sequence[str] = ("numpy", "scipy", "sklearn"),
    ) -> None:
        self.max_train, self.max_test, self.max_words = max_train, max_test, max_words
        self.test_packages = tuple(test_packages)

    def pairs(self, split: str) -> list[Docstring]:
        """Return (name, summary, body) of one split.

        Raises
        ------
        ValueError
            If the split is unknown, or none of its packages is installed.
        """
        if split not in SPLITS:
            raise ValueError(f"split: expected one of {', '.join(SPLITS)}, got {split!r}")
        if split == "all":
            return self.pairs("train") + self.pairs("test")
        if split == "test":
            return list(_pairs(self.test_packages, self.max_test, self.max_words))
        others = tuple(package for package in PACKAGES if package not in self.test_packages)
        return list(_pairs(others, self.max_train, self.max_words))

    def documents(self, split: str) -> Iterator[Document]:
        """Stream the bodies of split "train", "test" or "all"; ids are dotted names."""
        return (Document(pair.name, pair.body) for pair in self.pairs(split))


def known_item() -> RetrievalSet:
    """Return the task "a summary line finds its body" over the test packages."""
    pairs = Docstrings().pairs("test")
    return RetrievalSet(
        name="docstrings",
        corpus=[Document(pair.name, pair.body) for pair in pairs],
        queries=[Document(pair.name, pair.summary) for pair in pairs],
        qrels={pair.name: {pair.name: 1.0} for pair in pairs},
    )


@cache
def _pairs(packages: tuple[str, ...], most: int, max_words: int) -> tuple[Docstring, ...]:
    """Return `most` docstrings, no name, summary or body twice, in the order of their names."""
    kept: list[Docstring] = []
    seen: set[str] = set()
    for path, module in _sources(packages):
        for found in _file_docstrings(path, module, max_words):
            if not seen & set(found):
                seen.update(found)
                kept.append(found)
        if len(kept) >= most:
            break
    if not kept:
        raise ValueError(
            f"found no docstrings: expected the sources (.py files) of one of {', '.join(packages)}; "
            "install one of them, or choose another corpus"
        )
    return tuple(sorted(kept[:most]))


def _sources(packages: Sequence[str]) -> list[tuple[Path, str]]:
    """Return (file, module name) of the packages, in an order that mixes them and is the same everywhere."""
    found = []
    for package in packages:
        spec = importlib.util.find_spec(package)
        for location in (spec.submodule_search_locations or []) if spec else []:
            for path in Path(location).rglob("*.py"):
                inside = path.relative_to(location)
                if not _SKIPPED_FOLDERS & set(inside.parts):
                    parts = [package, *inside.with_suffix("").parts]
                    found.append((path, ".".join(part for part in parts if part != "__init__")))
    return sorted(found, key=lambda source: hashlib.sha256(source[1].encode()).digest())


def _file_docstrings(path: Path, module: str, max_words: int) -> Iterator[Docstring]:
    source = path.read_bytes()
    if len(source) > _MAX_SOURCE_BYTES or source.count(b'"""') < 2:  # need not be parsed
        return
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # invalid escapes are their authors' business
            tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError):  # a template, generated, or for another Python
        return
    nodes: list[tuple[str, ast.AST]] = [(module, tree)]
    while nodes:
        name, node = nodes.pop()
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            pair = _pair(name, ast.get_docstring(node, clean=False), max_words)
            if pair is not None:
                yield pair
            nodes += [(f"{name}.{getattr(child, 'name', '')}", child) for child in node.body if hasattr(child, "name")]


def _pair(name: str, docstring: str | None, max_words: int) -> Docstring | None:
    """Return summary and body, None where either says too little or the body repeats the summary."""
    if docstring is None or len(docstring.split()) < _MIN_SUMMARY_WORDS + _MIN_BODY_WORDS:
        return None
    summary, _, rest = inspect.cleandoc(docstring).partition("\n\n")
    summary, words = prose(summary), prose(rest).split()[:max_words]
    if len(summary.split()) < _MIN_SUMMARY_WORDS or len(summary) > _MAX_SUMMARY or len(words) < _MIN_BODY_WORDS:
        return None
    body = " ".join(words)
    return None if summary.rstrip(".").lower() in body.lower() else Docstring(name, summary, body)
