"""Prompts and modules that a sentence-transformers model uses for queries and for documents."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from torch import nn

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

Side = Literal["query", "document"]
SIDES: tuple[Side, Side] = ("query", "document")

#: The names that ``encode_query`` and ``encode_document`` look for among a model's prompts, in this order.
_PROMPT_NAMES = {"query": ("query",), "document": ("document", "passage", "corpus")}


def prompt_of(model: SentenceTransformer, side: Side | None) -> str:
    """Return what ``encode_query``, ``encode_document`` or, of no side, ``encode`` puts before a text."""
    names = [name for name in _PROMPT_NAMES.get(side or "", ()) if name in model.prompts]
    return model.prompts.get(names[0] if names else model.default_prompt_name or "") or ""


def route_of(model: SentenceTransformer, side: Side | None) -> list[nn.Module]:
    """Return the modules that texts of a side go through: those of its route, where the first is a `Router`.

    Raises
    ------
    ValueError
        If the `Router` has no such route.
    """
    from sentence_transformers.sentence_transformer.modules import Router

    first, *rest = model
    if not isinstance(first, Router):
        return [first, *rest]
    router: Any = first
    return [*router.sub_modules[router._resolve_route(task=side, modality="text")], *rest]


def two_sided(model: SentenceTransformer) -> bool:
    """Say whether queries, documents and texts of no side are encoded in different ways."""
    from projhead.encoders.lift import Lift

    if any(isinstance(module, Lift) for module in model):
        return True
    ways = [(prompt_of(model, side), [id(module) for module in route_of(model, side)]) for side in (None, *SIDES)]
    return any(way != ways[0] for way in ways)
