"""Load a sentence-transformers model, and refuse token limits that it cannot read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from projhead.hub.fetch import beside, hub_problem

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer


def dimension_of(model: SentenceTransformer) -> int:
    """Return the width of a model's rows."""
    dimension = model.get_embedding_dimension()
    if dimension is None:
        with torch.inference_mode():
            dimension = len(model.encode("width", show_progress_bar=False))
    return int(dimension)


def load_model(
    path: str, revision: str | None, device: str | None, local_files_only: bool, attention: str | None
) -> SentenceTransformer:
    """Load a local folder, or a model of the hub, asking it once: its loader tries for minutes.

    Raises
    ------
    FileNotFoundError
        If there is neither.
    ValueError
        If sentence-transformers cannot load the folder.
    """
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


def check_tokens(path: str, model: SentenceTransformer, asked: int | None) -> None:
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
