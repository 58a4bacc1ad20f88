"""An exported student run by ONNX Runtime."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from projhead.batching import token_batches
from projhead.encoders.export_record import read_record
from projhead.encoders.texts import clean_texts
from projhead.vectors import Vectors, unit_rows

OUTPUT = "sentence_embedding"
#: The entry of a model's metadata that holds what to put before every text.
PROMPT = "prompt"
_INPUTS = {"input_ids", "attention_mask", "token_type_ids"}
#: Texts that are tokenised, and sorted by length, at once: bounds memory.
_WINDOW = 4096


class OnnxEncoder:
    """A folder with ``model.onnx``, ``tokenizer.json`` and ``export.json`` as an encoder.

    Batches hold texts of like length, as many as fit the token budget. Texts are cut where ``tokenizer.json`` says;
    lone surrogates, which UTF-8 cannot hold, are read as ``?``.

    Parameters
    ----------
    path : str
        What ``projhead export export=onnx_...`` wrote. A folder without its record is refused: whether an unknown
        graph has the head inside, or which prompt it wants, cannot be told from its files.
    threads : int, optional
        Threads of ONNX Runtime; its own choice where not given.
    token_budget : int, default=1024
        Padded tokens of a batch: bounds memory. A processor's caches hold what small batches need: int8 is three
        times as fast as at 8,192.

    Raises
    ------
    FileNotFoundError
        If there is no export in the folder.
    ModuleNotFoundError
        If ONNX Runtime is not installed.
    ValueError
        If a file is damaged, altered or of another version, the export is no ONNX, or a number is not positive.
    """

    def __init__(self, path: str, *, threads: int | None = None, token_budget: int = 1024) -> None:
        # A folder is kept by its full path, so that a record of this encoder holds from everywhere.
        self.path, self.threads, self.token_budget = os.path.abspath(path), threads, token_budget
        for name, number in (("threads", threads), ("token_budget", token_budget)):
            if number is not None and number < 1:
                raise ValueError(f"{name}: expected a positive number, got {number}")
        folder = Path(self.path)
        digests = read_record(folder)["sha256"]
        if missing := {"model.onnx", "tokenizer.json"} - set(digests):
            raise ValueError(f"{folder} is another kind of export: it has no {' and no '.join(sorted(missing))}")
        self.name = folder.name
        self.revision = hashlib.sha256((digests["model.onnx"] + digests["tokenizer.json"]).encode()).hexdigest()[:16]
        self._session = _session(folder / "model.onnx", threads)
        self._tokenizer = _tokenizer(folder / "tokenizer.json")
        padding = self._tokenizer.padding or {}
        self._pad_id, self._pad_left = padding.get("pad_id", 0), padding.get("direction") == "left"
        self._tokenizer.no_padding()  # batches are padded here, after their texts are sorted
        self._prompt = self._session.get_modelmeta().custom_metadata_map.get(PROMPT, "")
        self._inputs = [one.name for one in self._session.get_inputs()]
        shapes = {one.name: one.shape for one in self._session.get_outputs()}
        if not set(self._inputs) <= _INPUTS or len(shapes.get(OUTPUT, [])) != 2:
            raise ValueError(
                f"{folder}: expected a graph from {', '.join(sorted(_INPUTS))} to {OUTPUT} (b, k), "
                f"got one from {self._inputs} to {shapes}"
            )
        self.dimension = int(shapes[OUTPUT][1])

    def encode(self, texts: Sequence[str], *, show_progress: bool = False) -> Vectors:
        """Return unit rows (n, k), float32, in the order of `texts`.

        Raises
        ------
        TypeError
            If `texts` is one string, or something in it is not a string.
        """
        clean = clean_texts(texts)
        rows = np.empty((len(clean), self.dimension), np.float32)
        with tqdm(total=len(clean), desc=self.name, unit="text", disable=not show_progress) as bar:
            for start in range(0, len(clean), _WINDOW):
                window = [self._prompt + text for text in clean[start : start + _WINDOW]]
                ids = [encoded.ids for encoded in self._tokenizer.encode_batch(window)]
                for batch in token_batches([len(one) for one in ids], self.token_budget):
                    rows[start + batch] = self._run([ids[position] for position in batch])
                    bar.update(len(batch))
        return unit_rows(rows, f"vectors of {self.name}")

    def _run(self, ids: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        """Pad token ids to (b, t) and run the graph."""
        longest = max(max(map(len, ids)), 1)
        tokens = np.full((len(ids), longest), self._pad_id, np.int64)
        mask = np.zeros_like(tokens)
        for row, one in enumerate(ids):
            place = slice(longest - len(one), longest) if self._pad_left else slice(len(one))
            tokens[row, place], mask[row, place] = one, 1
        known = {"input_ids": tokens, "attention_mask": mask, "token_type_ids": np.zeros_like(tokens)}
        rows: NDArray[np.float32]
        (rows,) = self._session.run([OUTPUT], {name: known[name] for name in self._inputs})
        return rows


def _session(path: Path, threads: int | None) -> Any:
    try:
        import onnxruntime
    except ImportError as error:
        raise ModuleNotFoundError("an exported ONNX student needs ONNX Runtime: pip install projhead[onnx]") from error
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = threads or 0
    try:
        return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime raises a dozen kinds of its own
        raise ValueError(f"{path} cannot be loaded: {str(error).splitlines()[0]}") from error


def _tokenizer(path: Path) -> Any:
    from tokenizers import Tokenizer

    try:
        return Tokenizer.from_file(str(path))
    except Exception as error:  # tokenizers raises bare Exception
        raise ValueError(f"{path} cannot be loaded: {error}") from error
