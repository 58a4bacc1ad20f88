"""The base of exported graphs: tokenize, batch, run, restore the order."""

from __future__ import annotations

import hashlib
import os
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import nullcontext
from pathlib import Path
from threading import Lock
from typing import Any, ClassVar

import joblib
import numpy as np
from numpy.typing import NDArray

from projhead.console.progress import progress
from projhead.corpora.batching import token_batches
from projhead.data import IS_QUERY
from projhead.encoders.again import MadeAgain
from projhead.encoders.sides import SIDES, Side
from projhead.encoders.texts import clean_texts
from projhead.persistence.identity import EncoderIdentity
from projhead.persistence.record import read_record
from projhead.vectors import Vectors, unit_rows

OUTPUT = "sentence_embedding"
#: The entries of a model's metadata that hold what to put before every text of a side, and of no side.
PROMPTS: dict[Side | None, str] = {None: "prompt", "query": "query_prompt", "document": "document_prompt"}
#: The entry that says whether attention is computed in blocks, which tokens and not their squares bound, or whole.
ATTENTION = "attention"
_TOKENIZER = "tokenizer.json"
_INPUTS = {"input_ids", "attention_mask", "token_type_ids", IS_QUERY}
#: Texts that are tokenized at once, while the network runs on those before.
_WINDOW = 512
#: Tokens from which a text's square counts, where attention is held whole.
_SQUARE = 512
#: Batches that wait for each thread: bounds memory.
_WAITING = 4

Tokens = NDArray[np.int64]


class GraphEncoder(MadeAgain, ABC):
    """A folder with a graph from token ids to rows, ``tokenizer.json`` and ``export.json`` as an encoder.

    Batches hold texts of like length, as many as fit the token budget. Each thread runs batches of its own, which
    wastes less than to share one, while the next texts are tokenized. Texts are cut where ``tokenizer.json`` says; lone
    surrogates, which UTF-8 cannot hold, are read as ``?``.

    Parameters
    ----------
    path : str
        What ``projhead export`` wrote. A folder without its record is refused: whether an unknown graph has the head
        inside, or which prompt it wants, cannot be told from its files.
    threads : int, optional
        Batches that run at once; as many as there are processors for this process where not given.
    token_budget : int, default=1024
        Padded tokens of a batch: with `threads`, bounds memory. A processor's caches hold what small batches need: int8
        is three times as fast as at 8,192. Where a graph holds attention whole, of texts beyond 512 tokens the square
        counts (over 512), and those beyond the budget are run one after the other.

    Raises
    ------
    FileNotFoundError
        If there is no export in the folder.
    ModuleNotFoundError
        If the runtime is not installed.
    ValueError
        If a file is damaged, altered or of another version, the export is of another kind, or a number is not
        positive.
    """

    #: The files of the graph.
    files: ClassVar[tuple[str, ...]]
    #: Those that there may be besides, where weights are too many for one.
    more: ClassVar[tuple[str, ...]] = ()

    def __init__(self, path: str, *, threads: int | None = None, token_budget: int = 1024) -> None:
        # A folder is kept by its full path, so that a record of this encoder holds from everywhere.
        self.path, self.threads, self.token_budget = os.path.abspath(path), threads, token_budget
        for name, number in (("threads", threads), ("token_budget", token_budget)):
            if number is not None and number < 1:
                raise ValueError(f"{name}: expected a positive number, got {number}")
        folder = Path(self.path)
        digests = self._digests(folder)
        files = [file if file in digests else Path(file).name for file in self.files]  # at the top once
        wanted = (*files, *(file for file in self.more if file in digests), _TOKENIZER)
        if missing := sorted(set(wanted) - set(digests)):
            raise ValueError(f"{folder} is another kind of export: it has no {' and no '.join(missing)}")
        self.name = folder.name
        self._fingerprint = hashlib.sha256("".join(digests[file] for file in wanted).encode()).hexdigest()[:16]
        self._threads = threads or joblib.cpu_count()
        self._tokenizer = _tokenizer(folder / _TOKENIZER)
        padding = self._tokenizer.padding or {}
        self._pad_id, self._pad_left = padding.get("pad_id", 0), padding.get("direction") == "left"
        self._tokenizer.no_padding()  # batches are padded here, after their texts are sorted
        inputs, outputs, said = self._open(folder / files[0])
        plain = said.get(PROMPTS[None], "")
        self._squares = said.get(ATTENTION, "whole") == "whole"
        self._alone = Lock()
        self._prompts = {side: said.get(entry, plain) for side, entry in PROMPTS.items()}
        self.two_sided = len(set(self._prompts.values())) > 1 or IS_QUERY in inputs
        if not set(inputs) <= _INPUTS or len(outputs.get(OUTPUT, [])) != 2:
            raise ValueError(
                f"{folder}: expected a graph from {', '.join(sorted(_INPUTS))} to {OUTPUT} (b, k), "
                f"got one from {inputs} to {outputs}"
            )
        self._inputs = inputs
        self.dimension = int(outputs[OUTPUT][1])
        asked, found = (self._prompts[side] for side in SIDES)
        self.identity = EncoderIdentity(
            self.name, self._fingerprint, self.dimension, query_prompt=asked, document_prompt=found
        )
        # OpenVINO's bindings set themselves up when first used: two threads that both come first would block for ever.
        self._run(self._padded([[self._pad_id]]))

    def _digests(self, folder: Path) -> dict[str, str]:
        """Return the digest of every file, compared with the record's."""
        return {name: mark["sha256"] for name, mark in read_record(folder, "export", ()).files.items()}

    @abstractmethod
    def _open(self, path: Path) -> tuple[list[str], dict[str, Sequence[Any]], Mapping[str, str]]:
        """Load the graph; return its inputs' names, its outputs' shapes by name, and what it says of itself."""

    @abstractmethod
    def _run(self, feed: dict[str, Tokens]) -> NDArray[np.float32]:
        """Return the rows (b, k) of padded token ids and what goes with them, each (b, t); from several threads."""

    def encode_query(self, texts: Sequence[str], *, show_progress: bool = False) -> Vectors:
        """Return unit rows (n, k), float32, of texts that ask; see `encode`."""
        return self._encode(texts, "query", show_progress)

    def encode_document(self, texts: Sequence[str], *, show_progress: bool = False) -> Vectors:
        """Return unit rows (n, k), float32, of texts that are searched; see `encode`."""
        return self._encode(texts, "document", show_progress)

    def encode(self, texts: Sequence[str], *, show_progress: bool = False) -> Vectors:
        """Return unit rows (n, k), float32, in the order of `texts`, by the student's default prompt.

        Raises
        ------
        TypeError
            If `texts` is one string, or something in it is not a string.
        """
        return self._encode(texts, None, show_progress)

    def _encode(self, texts: Sequence[str], side: Side | None, show_progress: bool) -> Vectors:
        clean = clean_texts(texts)
        rows = np.empty((len(clean), self.dimension), np.float32)
        with progress(len(clean), self.name, shown=show_progress) as bar:
            if len(clean) == 1:  # a query: threads would cost more than they give
                ids = self._tokenizer.encode(self._prompts[side] + clean[0]).ids
                rows[:] = self._run(self._padded([ids], side))
                bar.update(1)
            else:
                self._encode_batches(clean, side, rows, bar)
        return unit_rows(rows, f"vectors of {self.name}")

    def _encode_batches(self, texts: Sequence[str], side: Side | None, rows: Vectors, bar: Any) -> None:
        """Fill `rows` with those of texts, batches running beside each other."""
        with ThreadPoolExecutor(self._threads) as pool:
            running: deque[tuple[NDArray[np.int64], Future[NDArray[np.float32]]]] = deque()
            for positions, batch in self._batches(texts, side):
                running.append((positions, pool.submit(self._bounded, batch)))
                while len(running) > _WAITING * self._threads:
                    self._collect(running, rows, bar)
            while running:
                self._collect(running, rows, bar)

    def _bounded(self, feed: dict[str, Tokens]) -> NDArray[np.float32]:
        """Run a batch; of those that take more memory than the budget is meant for, one after the other."""
        rows, length = feed["input_ids"].shape
        with self._alone if self._squares and rows * self._cost(length) > self.token_budget else nullcontext():
            return self._run(feed)

    def _cost(self, length: int) -> int:
        """Return what a text of so many tokens takes of the budget: more than those where attention is held whole."""
        return max(length, length**2 // _SQUARE) if self._squares else length

    @staticmethod
    def _collect(running: deque[Any], rows: Vectors, bar: Any) -> None:
        """Wait for the oldest batch and keep its rows."""
        positions, batch = running.popleft()
        rows[positions] = batch.result()
        bar.update(len(positions))

    def _batches(
        self, texts: Sequence[str], side: Side | None
    ) -> Iterator[tuple[NDArray[np.int64], dict[str, Tokens]]]:
        """Yield the positions (b,) of texts and what the graph takes of them, the longest first."""
        # Characters order texts well enough to tokenize them window by window; tokens order each window.
        prompt = self._prompts[side]
        order = np.argsort([-len(text) for text in texts], kind="stable")
        for start in range(0, len(texts), _WINDOW):
            window = order[start : start + _WINDOW]
            encoded = self._tokenizer.encode_batch([prompt + texts[position] for position in window])
            ids = [one.ids for one in encoded]
            for batch in token_batches([self._cost(self._room(len(one))) for one in ids], self.token_budget):
                yield window[batch], self._padded([ids[position] for position in batch], side)

    def _room(self, length: int) -> int:
        """Return the tokens that a batch is padded to whose longest text has `length`."""
        return max(length, 1)

    def _padded(self, ids: Sequence[Sequence[int]], side: Side | None = None) -> dict[str, Tokens]:
        """Return what the graph takes, each (b, t); of a side, where it asks, (b, 1)."""
        longest = self._room(max(map(len, ids)))
        tokens = np.full((len(ids), longest), self._pad_id, np.int64)
        mask = np.zeros_like(tokens)
        for row, one in enumerate(ids):
            place = slice(longest - len(one), longest) if self._pad_left else slice(len(one))
            tokens[row, place], mask[row, place] = one, 1
        known = {"input_ids": tokens, "attention_mask": mask}
        if "token_type_ids" in self._inputs:
            known["token_type_ids"] = np.zeros_like(tokens)
        if IS_QUERY in self._inputs:
            known[IS_QUERY] = np.full((len(ids), 1), side != "document", np.int64)
        return {name: known[name] for name in self._inputs}


class Unrecorded:
    """Goes before a `GraphEncoder` to read what an exporter just wrote: the record needs its parity, and comes last."""

    def _digests(self, folder: Path) -> dict[str, str]:
        return {one.relative_to(folder).as_posix(): "" for one in folder.rglob("*") if one.is_file()}


def _tokenizer(path: Path) -> Any:
    from tokenizers import Tokenizer

    try:
        return Tokenizer.from_file(str(path))
    except Exception as error:  # tokenizers raises bare Exception
        raise ValueError(f"{path} cannot be loaded: {error}") from error
