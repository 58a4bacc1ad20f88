"""An exported student, run by ONNX Runtime."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from projhead.batching import token_batches
from projhead.encoders.export_record import holds_record, read_record
from projhead.encoders.texts import clean_texts
from projhead.files import sha256_of
from projhead.vectors import Vectors, unit_rows

#: Texts tokenised and sorted by length at once.
_WINDOW = 4096
_FIELDS = {"input_ids": "ids", "attention_mask": "attention_mask", "token_type_ids": "type_ids"}


class OnnxEncoder:
    """A folder with ``model.onnx`` and ``tokenizer.json`` as an encoder.

    Parameters
    ----------
    path : str
        What ``projhead export export=onnx_...`` wrote; any folder whose graph gives ``sentence_embedding`` serves.
    threads : int, optional
        Threads of a matrix product; ONNX Runtime's choice where not given.
    token_budget : int
        Padded tokens of a batch: also bounds memory, as ONNX Runtime keeps what its largest batch took.

    Raises
    ------
    FileNotFoundError
        If a file is missing.
    ValueError
        If a file is not what ``export.json`` recorded, or the graph is another's.
    ImportError
        If ONNX Runtime is not installed.
    """

    def __init__(self, path: str, *, threads: int | None = None, token_budget: int = 8192) -> None:
        self.path, self.threads, self.token_budget = str(Path(path).resolve()), threads, token_budget
        self.name = Path(self.path).name
        _verify(Path(self.path))
        self._session = _session(Path(self.path) / "model.onnx", threads)
        self._inputs = [one.name for one in self._session.get_inputs()]
        shapes = {one.name: one.shape for one in self._session.get_outputs()}
        if "sentence_embedding" not in shapes or not set(self._inputs) <= set(_FIELDS):
            raise ValueError(
                f"{path}: expected a graph from {', '.join(_FIELDS)} to sentence_embedding, "
                f"got {self._inputs} to {list(shapes)}; export it with 'projhead export'"
            )
        self.dimension = int(shapes["sentence_embedding"][1])

    @cached_property
    def revision(self) -> str:
        """Digest of graph and tokenizer."""
        files = [sha256_of(Path(self.path) / name) for name in ("model.onnx", "tokenizer.json")]
        return hashlib.sha256(" ".join(files).encode()).hexdigest()[:16]

    @cached_property
    def _tokenizer(self) -> Any:
        from tokenizers import Tokenizer

        tokenizer = Tokenizer.from_file(str(Path(self.path) / "tokenizer.json"))
        tokenizer.no_padding()
        return tokenizer

    def encode(self, texts: Sequence[str], *, show_progress: bool = False) -> Vectors:
        """Return unit rows (n, k), float32, in the order of `texts`.

        Texts are cut at the limit in ``tokenizer.json``; lone surrogates are read as ``?``.
        """
        rows = np.empty((len(texts), self.dimension), np.float32)
        with tqdm(total=len(texts), desc="encode", unit="text", disable=not show_progress) as bar:
            for start in range(0, len(texts), _WINDOW):
                tokens = self._tokenizer.encode_batch(clean_texts(texts[start : start + _WINDOW]))
                for chosen in token_batches([len(one.ids) for one in tokens], self.token_budget):
                    rows[start + chosen] = self._run([tokens[i] for i in chosen])
                    bar.update(len(chosen))
        return unit_rows(rows, f"vectors of {self.name}")

    def _run(self, tokens: list[Any]) -> Vectors:
        feed = {name: np.zeros((len(tokens), max(len(one.ids) for one in tokens)), np.int64) for name in self._inputs}
        for row, one in enumerate(tokens):
            for name in self._inputs:
                values = getattr(one, _FIELDS[name])
                feed[name][row, : len(values)] = values
        found: Vectors = self._session.run(["sentence_embedding"], feed)[0]
        return found


def _session(path: Path, threads: int | None) -> Any:
    try:
        import onnxruntime
    except ImportError as error:
        raise ImportError("an exported ONNX student needs ONNX Runtime: pip install 'projhead[onnx]'") from error
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.enable_mem_pattern = False  # every batch has another shape
    if threads is not None:
        options.intra_op_num_threads = threads
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime raises kinds of its own for a damaged file
        raise ValueError(f"{path} cannot be loaded: {str(error).splitlines()[0]}") from None


def _verify(folder: Path) -> None:
    """Check that the files are there, and are what their export recorded where there is a record."""
    for name in ("model.onnx", "tokenizer.json"):
        if not (folder / name).is_file():
            raise FileNotFoundError(
                f"{folder}: expected {name}; 'projhead export export=onnx_fp32' writes such a folder"
            )
    if holds_record(folder):
        read_record(folder)
