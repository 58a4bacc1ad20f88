"""Any sentence-transformers model as a teacher."""

from __future__ import annotations

import hashlib
import json
import os
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from projhead.console.progress import progress
from projhead.corpora.batching import token_batches
from projhead.encoders.lifted import ends_in_unit_rows, lengths_matter, lifted, longest_of
from projhead.encoders.sides import SIDES, Side, prompt_of, route_of, two_sided
from projhead.encoders.texts import clean_texts
from projhead.hub.fetch import beside, hub_problem
from projhead.persistence.identity import EncoderIdentity
from projhead.persistence.record import holds, read_record
from projhead.vectors import Vectors, unit_rows

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

_DTYPES = ("float32", "float16", "bfloat16")
#: Digests of weights, by that of the file that they come from.
_hashed: dict[str, list[str]] = {}
#: Texts whose tokens are counted at once.
_WINDOW = 1024
#: Its token ids tell tokenizers apart: case, accents, punctuation, digits, other scripts.
_PROBE = "The naïve Café-owner's 1,234.5 €? \t naive cafe; ДОМ, 東京, emoji 🙂 _snake_case_ <b>HTML</b>"


class SentenceTransformerEncoder:
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
        self.model: SentenceTransformer = _load(self.path, revision, device, local_files_only, attention)
        _check_tokens(self.path, self.model, max_seq_length)
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
        self.width = _dimension(self.model)
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
            self._fingerprint if self.longest is None else _with(self._fingerprint, self.longest),
            self.dimension,
            similarity=str(model.similarity_fn_name),
            compute_dtype=self._computes_in,
            query_prompt=prompt_of(model, "query"),
            document_prompt=prompt_of(model, "document"),
            pooling="+".join(_poolings(model)),
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


def _check_tokens(path: str, model: SentenceTransformer, asked: int | None) -> None:
    """Refuse more tokens than a network has positions for, and a tokenizer that cannot pad."""
    tables = [
        module.num_embeddings - (0 if module.padding_idx is None else module.padding_idx + 1)
        for name, module in model.named_modules()
        if name.endswith(".position_embeddings") and isinstance(module, torch.nn.Embedding)
    ]
    if asked is not None and tables and asked > min(tables):
        raise ValueError(
            f"max_seq_length: got {asked:,}, expected at most {min(tables):,}, the positions that the network of "
            f"{path} has"
        )
    tokenizer: Any = model.tokenizer
    if callable(tokenizer) and getattr(tokenizer, "pad_token", "") is None:
        raise ValueError(
            f"{path}: expected a tokenizer that pads, got one without a padding token; set it "
            "(tokenizer.pad_token = tokenizer.eos_token) and save the tokenizer into the model's folder"
        )


def fingerprint_of(model: SentenceTransformer, weights: str = "") -> str:
    """Return a digest of what decides a model's vectors: weights, modules, tokens and their limit.

    Taken of the loaded model, so a hub download, a local copy and a re-saved one agree.

    Parameters
    ----------
    model : SentenceTransformer
    weights : str
        The digest of the file that its weights are, where that is known: they are then hashed once in a process.

    Returns
    -------
    str
        16 hex digits.
    """
    tensors = _hashed.get(weights) or sorted(map(_digest, model.state_dict().values()))
    if weights:
        _hashed[weights] = tensors
    # Names of tensors and settings change between library versions; sorted digests and plain facts do not.
    facts = {
        "weights": [digest for digest in tensors if digest],
        **_side_facts(model, None),
        "prompt": model.prompts.get(model.default_prompt_name or ""),
        "truncate": model.truncate_dim,
    }
    if two_sided(model):
        facts["sides"] = [{**_side_facts(model, side), "prompt": prompt_of(model, side)} for side in SIDES]
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]


def _digest(tensor: torch.Tensor) -> str:
    """Return the digest of a weight; none of what counts positions."""
    if not tensor.is_floating_point():
        return ""
    raw = tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy()
    return hashlib.sha256(repr((tensor.dtype, tuple(tensor.shape))).encode() + raw.data).hexdigest()


def _side_facts(model: SentenceTransformer, side: Side | None) -> dict[str, Any]:
    """Return the modules of a side and what they read."""
    modules = route_of(model, side)
    first: Any = modules[0]
    tokenizer = getattr(first, "tokenizer", model.tokenizer)
    limit = getattr(first, "max_seq_length", model.max_seq_length)
    ids = (
        tokenizer(_PROBE, truncation=True, max_length=limit)["input_ids"]
        if callable(tokenizer)
        else tokenizer.encode(_PROBE).ids
    )
    return {"modules": [_facts(module) for module in modules], "max_seq_length": limit, "tokens": ids}


def _poolings(model: SentenceTransformer) -> list[str]:
    """Return how tokens become a row, where a module says it."""
    modes = [mode for module in route_of(model, "document") if (mode := getattr(module, "pooling_mode", None))]
    return [str(one) for mode in modes for one in ([mode] if isinstance(mode, str) else mode)]


def _facts(module: torch.nn.Module) -> list[Any]:
    config = getattr(module, "config", None)
    return [
        type(module).__name__,
        getattr(module, "pooling_mode", None),
        type(getattr(module, "activation_function", None)).__name__,
        *(getattr(config, key, None) for key in ("model_type", "num_attention_heads", "hidden_act")),
        *(["prompt left out"] if getattr(module, "include_prompt", True) is False else []),
    ]


def _with(fingerprint: str, longest: float) -> str:
    return hashlib.sha256(f"{fingerprint} longest {float(longest)!r}".encode()).hexdigest()[:16]


def _dimension(model: SentenceTransformer) -> int:
    dimension = model.get_embedding_dimension()
    if dimension is None:
        with torch.inference_mode():
            dimension = len(model.encode("width", show_progress_bar=False))
    return int(dimension)


def _load(
    path: str, revision: str | None, device: str | None, local_files_only: bool, attention: str | None
) -> SentenceTransformer:
    from sentence_transformers import SentenceTransformer

    from projhead.encoders.lift import is_lifted, load_lifted

    local = Path(path).is_dir()
    if not local and (path.startswith((".", "/", "~")) or path.count("/") > 1):
        raise FileNotFoundError(f"{path}: expected the folder of a model; no such folder")
    problem = "" if local or local_files_only else hub_problem(path, revision)
    kept = local_files_only or bool(problem)  # what was downloaded before will do
    settings = {} if attention is None else {"attn_implementation": attention}
    try:
        with no_weight_bars():
            if local and is_lifted(path):
                return load_lifted(path, device, local_files_only=True, model_kwargs=settings)
            return SentenceTransformer(
                path, revision=revision, device=device, local_files_only=kept, model_kwargs=settings
            )
    except Exception as error:  # each library below raises its own kinds
        reason = problem or (str(error).strip() or type(error).__name__).splitlines()[0]
        if local:
            raise ValueError(f"{path}: expected a model that sentence-transformers loads; {reason}") from error
        raise FileNotFoundError(
            f"{path!r} is no folder here{beside(path)}, was not downloaded before, and the hub does not give it: "
            f"{reason}; check the name and the connection, or give a local folder: encoder.path=<folder>"
        ) from error


@contextmanager
def no_weight_bars() -> Iterator[None]:
    """Keep transformers from drawing a bar for every load and save; downloads still show theirs."""
    from transformers.utils import logging

    settings: Any = logging  # publishes no types
    shown = settings.is_progress_bar_enabled()
    settings.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            settings.enable_progress_bar()
