"""Export a `Router` student as one student for queries and one for documents."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Router

from projhead.encoders.graph import GraphEncoder
from projhead.encoders.routed import ROUTES
from projhead.encoders.sides import SIDES, Side, prompt_of, route_of, two_sided
from projhead.exporters.parity import both_sides
from projhead.vectors import Vectors

#: Writes a student of one network into an existing empty folder and returns what reads it back.
WriteOne = Callable[[SentenceTransformer, Path, Sequence[str]], GraphEncoder]


def has_routes(student: Any) -> bool:
    """Say whether a student has another network for queries than for documents."""
    return isinstance(student, SentenceTransformer) and isinstance(student[0], Router) and two_sided(student)


def write_each(
    student: SentenceTransformer, folder: Path, items: Sequence[str], write: WriteOne
) -> Callable[[Sequence[str]], Vectors]:
    """Write a student, each of its networks into the folder ``query`` or ``document`` where it has two.

    Each of these is whole by itself, for tools that know one network.

    Raises
    ------
    ValueError
        If texts of no side take a third network.
    """
    if not isinstance(student[0], Router):
        return both_sides(write(student, folder, items))
    if not has_routes(student):
        return both_sides(write(_one(student, "document"), folder, items))
    default = _default(student)
    sides = {}
    for side in SIDES:
        (folder / side).mkdir()
        sides[side] = write(_one(student, side), folder / side, items)
    (folder / ROUTES).write_text(json.dumps({"default": default}) + "\n", encoding="utf-8")
    return lambda texts: np.stack([sides["query"].encode_query(texts), sides["document"].encode_document(texts)])


def _one(student: SentenceTransformer, side: Side) -> SentenceTransformer:
    """Return the modules of a side as a student, with the side's prompt whatever it is asked for.

    But for texts of no side, where these take this side's modules: their prompt is the default one.
    """
    plain = prompt_of(student, None if _modules(student, None) == _modules(student, side) else side)
    prompt = prompt_of(student, side)
    return SentenceTransformer(
        modules=route_of(student, side),
        device=str(student.device),
        prompts={"query": prompt, "document": prompt, "neither": plain},
        default_prompt_name="neither",
        similarity_fn_name=student.similarity_fn_name,
    ).eval()


def _modules(student: SentenceTransformer, side: Side | None) -> list[int]:
    return [id(module) for module in route_of(student, side)]


def _default(student: SentenceTransformer) -> Side:
    """Return the side whose network reads texts of no side."""
    for side in reversed(SIDES):
        if _modules(student, side) == _modules(student, None):
            return side
    raise ValueError(
        "the student has a network for texts that are neither queries nor documents, and graphs are written for those "
        "two; choose one as its default_route, or export=sentence_transformers"
    )
