"""Any sentence-transformers model as a teacher."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from projhead.console.progress import progress
from projhead.corpora.batching import token_batches
from projhead.encoders.again import MadeAgain
from projhead.encoders.fingerprint import fingerprint_of, poolings, with_longest
from projhead.encoders.lifted import ends_in_unit_rows, lengths_matter, lifted, longest_of
from projhead.encoders.load_model import check_tokens, dimension_of, load_model
from projhead.encoders.sides import Side, prompt_of, route_of, two_sided
from projhead.encoders.texts import clean_texts
from projhead.persistence.identity import EncoderIdentity
from projhead.persistence.record import holds, read_record
from projhead.vectors import Vectors, unit_rows

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

_DTYPES = ("float32", "float16", "bfloat16")
#: Texts whose tokens are counted at once.
_WINDOW = 1024


class SentenceTransformerEncoder(MadeAgain):
    """A model of the hub or of a local folder, run by sentence-transformers itself.

    Vectors are those of ``encode_query``, ``encode_document`` and ``encode`` of ``SentenceTransformer(path)`` with
    ``normalize_embeddings=True``: each side has the prompt, and in a `Router` the network, that the model names for it.
    There is less padding: batches hold texts of like length, as many as fit the token budget. Lone surrogates, which
    UTF-8 cannot hold, are read as ``?``.

    Parameters
    ----------
    path : str
        A local folder, or a name on the hub.
    revision : str, optional
        The hub commit to load.
    device : str, optional
        Such as ``"cpu"`` or ``"cuda"``; the best there is where not given.
    max_seq_length : int, optional
        Tokens of a text that are read; the model's own limit where not given.
    token_budget : int, optional
        Padded tokens of a batch: bounds memory. Where not given 2,048 on a CPU, whose caches hold what such a batch
        needs (1.2 to 1.4 times the speed of 8,192), and 16,384 elsewhere. Where a GPU's memory does not suffice, half
        of it is tried, and so on, and kept for later texts.
    local_files_only : bool, default=False
        Whether to use only what was downloaded before.
    compute_dtype : {"float32", "float16", "bfloat16"}, optional
        What the network computes in; what its files hold where not given. Halves are for GPUs, and for processors with
        bfloat16 products. Another than the files' is said in the identity, yet a head fitted to the one serves the
        other.
    attention : str, optional
        How transformers computes attention, such as ``"sdpa"`` or ``"eager"``; its own choice where not given. With
        ``"flash_attention_2"``, for a GPU and half precision (pip install kernels), texts are not padded at all.
    query_prompt, document_prompt : str, optional
        What is put before every query, and every document; what the model says where not given.
    longest : float, optional
        Of a model for inner products, whose rows are not unit length: a length that no document's row exceeds, found by
        `longest_of` where not given. Rows are then d + 1 wide and rank as exact search with lengths does
        (`projhead.encoders.lifted`). Texts of no side are compared by direction alone.

    Attributes
    ----------
    model : SentenceTransformer
        The stock model.
    longest_found : bool
        Whether nobody said the longest length.

    Raises
    ------
    FileNotFoundError
        If the folder does not exist, or the hub cannot give the model.
    ValueError
        If the folder holds no model, or a number is not positive.
    """

    #: The digest of the file that all weights come from, where it is known.
    _weights = ""

    def __init__(
        self,
        path: str,
        *,
        revision: str | None = None,
        device: str | None = None,
        max_seq_length: int | None = None,
        token_budget: int | None = None,
        local_files_only: bool = False,
        compute_dtype: str | None = None,
        attention: str | None = None,
        query_prompt: str | None = None,
        document_prompt: str | None = None,
        longest: float | None = None,
    ) -> None:
        # A folder is kept by its full path, so that a record of this encoder holds from everywhere.
        self.path = os.path.abspath(path) if Path(path).is_dir() else str(path)
        self.revision, self.device = revision, device
        self.max_seq_length, self.local_files_only = max_seq_length, local_files_only
        self.compute_dtype, self.attention = compute_dtype, attention
        self.query_prompt, self.document_prompt = query_prompt, document_prompt
        if max_seq_length is not None and max_seq_length < 1:
            raise ValueError(f"max_seq_length: expected a positive number of tokens, got {max_seq_length}")
        if compute_dtype not in (None, *_DTYPES):
            raise ValueError(f"compute_dtype: expected one of {', '.join(_DTYPES)}, got {compute_dtype!r}")
        if holds(Path(self.path), "encoder"):  # what `train student=...` wrote
            read_record(Path(self.path), "encoder", ())
        self.model: SentenceTransformer = load_model(self.path, revision, device, local_files_only, attention)
        check_tokens(self.path, self.model, max_seq_length)
        if max_seq_length is not None:
            self.model.max_seq_length = max_seq_length
        given = {"query": query_prompt, "document": document_prompt}
        self.model.prompts.update({side: prompt for side, prompt in given.items() if prompt is not None})
        best = 2048 if self.model.device.type == "cpu" else 16_384
        self.token_budget = best if token_budget is None else token_budget
        self.name = Path(self.path).name if Path(self.path).is_dir() else self.path
        self._fingerprint, self._computes_in = fingerprint_of(self.model, self._weights), ""
        found = longest_of(self.model) if longest is None and lengths_matter(self.model) else None
        if compute_dtype is not None and getattr(torch, compute_dtype) != self.model.dtype:
            self._computes_in = compute_dtype
            self.model.to(getattr(torch, compute_dtype))
        self.longest_found = longest is None and lengths_matter(self.model)
        self.longest = found if longest is None else self._checked(longest)
        self.width = dimension_of(self.model)
        self.dimension = self.width + (self.longest is not None)
        self.two_sided = self.longest is not None or two_sided(self.model)

    @staticmethod
    def upgrade(parameters: dict[str, Any]) -> dict[str, Any]:
        """Return the arguments that a record means: older ones call two of them otherwise."""
        former = {"dtype": "compute_dtype", "revision_pin": "revision"}
        return {former.get(name, name): value for name, value in parameters.items()}

    @property
    def identity(self) -> EncoderIdentity:
        """The fingerprint, and what else there is to know."""
        model = self.model
        return EncoderIdentity(
            self.name,
            self._fingerprint if self.longest is None else with_longest(self._fingerprint, self.longest),
            self.dimension,
            similarity=str(model.similarity_fn_name),
            compute_dtype=self._computes_in,
            query_prompt=prompt_of(model, "query"),
            document_prompt=prompt_of(model, "document"),
            pooling="+".join(poolings(model)),
            longest=self.longest or 0.0,
        )

    def encode_query(self, texts: Sequence[str], *, show_progress: bool = False) -> Vectors:
        """Return unit rows (n, d), float32, of texts that ask; see `encode`."""
        return self._encode(texts, "query", show_progress)

    def encode_document(self, texts: Sequence[str], *, show_progress: bool = False) -> Vectors:
        """Return unit rows (n, d), float32, of texts that are searched; see `encode`."""
        return self._encode(texts, "document", show_progress)

    def encode(self, texts: Sequence[str], *, show_progress: bool = False) -> Vectors:
        """Return unit rows (n, d), float32, in the order of `texts`, by the model's default prompt.

        Raises
        ------
        TypeError
            If `texts` is one string, or something in it is not a string.
        ValueError
            If the model gives NaN or infinity.
        """
        return self._encode(texts, None, show_progress)

    def _encode(self, texts: Sequence[str], side: Side | None, show_progress: bool) -> Vectors:
        clean = clean_texts(texts)
        rows = np.empty((len(clean), self.width), np.float32)
        lengths = np.array(self._lengths(clean, side), np.int64)
        # What memory once refused is tried again: batches, and so the last bits of rows, follow from these texts alone.
        budget = self.token_budget
        waiting = deque(token_batches(lengths, budget))
        self.model.eval()
        with (
            torch.inference_mode(),
            progress(len(clean), self.name, shown=show_progress) as bar,
        ):
            while waiting:
                batch = waiting.popleft()
                try:
                    rows[batch] = self._rows([clean[i] for i in batch], side)
                except torch.OutOfMemoryError:
                    if len(batch) == 1:
                        raise
                    budget = max(int(len(batch) * lengths[batch].max()) // 2, 1)
                    left = np.concatenate([batch, *waiting])
                    waiting = deque(left[part] for part in token_batches(lengths[left], budget))
                    torch.cuda.empty_cache()
                else:
                    bar.update(len(batch))
        if self.longest is not None:
            rows = lifted(rows, self.longest, documents=side == "document")
        return unit_rows(rows, f"vectors of {self.name}")

    def _checked(self, longest: float) -> float:
        """Refuse to keep lengths that there are not."""
        if not 0 < longest < np.inf or ends_in_unit_rows(self.model):
            expected = "none, as its rows are of unit length" if longest > 0 else "a positive number"
            raise ValueError(f"longest: got {longest:g} for {self.name}, expected {expected}")
        return float(longest)

    def _rows(self, texts: list[str], side: Side | None) -> NDArray[np.float32]:
        """Return the rows (b, d) of one batch."""
        task, device = {} if side is None else {"task": side}, self.model.device
        features = self.model.preprocess(texts, prompt=prompt_of(self.model, side), **task)
        for name, value in features.items():
            if isinstance(value, torch.Tensor):
                # Pinned memory goes to a GPU while it computes.
                value = value.pin_memory() if device.type == "cuda" else value
                features[name] = value.to(device, non_blocking=True)
        rows: NDArray[np.float32] = self._forward(features, **task)["sentence_embedding"].float().cpu().numpy()
        return rows

    def _forward(self, features: dict[str, Any], **task: str) -> dict[str, Any]:
        """Return what the model makes of tokens."""
        made: dict[str, Any] = self.model(features, **task)
        return made

    def _lengths(self, texts: Sequence[str], side: Side | None) -> list[int]:
        """Count the tokens of each text that the model will read."""
        first: Any = route_of(self.model, side)[0]
        tokenizer, prompt = getattr(first, "tokenizer", None), prompt_of(self.model, side)
        if not callable(tokenizer):  # models without a transformer: words order texts well enough
            return [len(text.split()) for text in texts]
        limit = first.max_seq_length
        lengths: list[int] = []
        for start in range(0, len(texts), _WINDOW):
            window = [prompt + text for text in texts[start : start + _WINDOW]]
            ids = tokenizer(window, truncation=limit is not None, max_length=limit, padding=False)["input_ids"]
            lengths += [len(one) for one in ids]
        return lengths
