"""Assemble teacher and head into a stock `SentenceTransformer`."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any, NamedTuple

import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Dense, Normalize
from torch import nn

from projhead.encoders.lift import Lift
from projhead.encoders.lifted import agree, lengths_matter
from projhead.encoders.sentence_transformer import SentenceTransformerEncoder
from projhead.persistence.identity import EncoderIdentity
from projhead.reducers.base import Reducer


class Origin(NamedTuple):
    """What a student was assembled from.

    Attributes
    ----------
    teacher : EncoderIdentity or None
        Whose vectors the head was fitted to; None where nobody said.
    reducer : str
        The kind of reducer.
    """

    teacher: EncoderIdentity | None = None
    reducer: str = "unknown"


def dense_modules(head: nn.Module) -> list[Dense]:
    """Return a head as sentence-transformers' own `Dense` modules, the same function exactly.

    Raises
    ------
    ValueError
        If the head's ``to_sequential`` has something else than linear layers, each with at most one activation.
    """
    modules: list[Dense] = []
    for layer in head.to_sequential():  # type: ignore[operator]
        if isinstance(layer, nn.Linear):
            dense = Dense(
                layer.in_features, layer.out_features, bias=layer.bias is not None, activation_function=nn.Identity()
            )
            dense.linear.load_state_dict(layer.state_dict())  # copies
            modules.append(dense)
        elif modules and isinstance(modules[-1].activation_function, nn.Identity):
            modules[-1].activation_function = layer
        else:
            raise ValueError(f"expected linear layers with at most one activation each, got {layer}")
    return modules


def assemble(teacher: SentenceTransformerEncoder | SentenceTransformer, reducer: Reducer) -> SentenceTransformer:
    """Put a fitted reducer behind a teacher, out of stock modules only.

    Parameters
    ----------
    teacher : SentenceTransformerEncoder or SentenceTransformer
        In float32; its modules are shared, not copied. Of an encoder the identity is compared with the one that the
        reducer was fitted to.
    reducer : Reducer
        Fitted to the teacher's unit rows.

    Returns
    -------
    SentenceTransformer
        The teacher's modules, `Normalize` where it does not end in one, `Dense` modules, `Normalize`: its rows are
        those of teacher and reducer to 1e-5. ``save_pretrained`` writes what stock sentence-transformers loads. Of a
        teacher whose lengths matter `projhead.encoders.lift.Lift` stands in place of the first `Normalize`.

    Raises
    ------
    TypeError
        If the teacher is not a sentence-transformers model: exports and vectors of an API have no modules.
    ValueError
        If the reducer is not fitted, was fitted to another teacher or width, or the model cannot take a head.

    Examples
    --------
    >>> from projhead import assemble, load_encoder, load_reducer
    >>> student = assemble(load_encoder("all-MiniLM-L6-v2"), load_reducer("all-MiniLM-L6-v2-64"))
    >>> student.encode(["a text"]).shape
    (1, 64)
    """
    model = getattr(teacher, "model", teacher)
    if not isinstance(model, SentenceTransformer):
        raise TypeError(
            "teacher: expected a sentence-transformers model to put the head in, got "
            f"{getattr(teacher, 'name', teacher)}; export the head alone (export=head_onnx)"
        )
    agree(teacher, getattr(reducer, "teacher_", None))
    longest = _longest(teacher, model, reducer)
    _check(model, reducer, getattr(teacher, "identity", None), lifted=bool(longest))
    modules = OrderedDict(model.named_children())
    tail = [*dense_modules(reducer.head_), Normalize()]
    if longest:
        tail.insert(0, Lift(longest, int(reducer.n_features_in_) - 1))
    elif not isinstance(list(modules.values())[-1], Normalize):
        tail.insert(0, Normalize())
    modules.update([(str(position), module) for position, module in enumerate(tail, start=len(modules))])
    student = SentenceTransformer(
        modules=modules,  # type: ignore[arg-type]  # it takes names too, which module_kwargs refer to
        device=str(model.device),
        prompts=model.prompts.copy(),  # type: ignore[arg-type]
        default_prompt_name=model.default_prompt_name,
        similarity_fn_name="cosine",
    )
    student.module_kwargs = model.module_kwargs
    of = reducer.teacher_
    if isinstance(teacher, SentenceTransformerEncoder):
        of = teacher.identity
    student.origin = Origin(of, reducer.kind)  # type: ignore[assignment]  # a module keeps what it is given
    return student.eval()


def origin_of(student: Any) -> Origin:
    """Return what a student was assembled from, as far as it knows."""
    found: Origin = getattr(student, "origin", Origin())
    return found


def _longest(teacher: object, model: SentenceTransformer, reducer: Reducer) -> float | None:
    """Return the longest length of a teacher whose lengths matter, as it or the reducer knows it."""
    known = getattr(getattr(reducer, "teacher_", None), "longest", None)
    longest: float | None = getattr(teacher, "longest", known if teacher is model else None)
    if not longest and lengths_matter(model):
        raise ValueError(
            "teacher: expected a reducer that knows how long rows may be, as lengths matter here, got one fitted to a "
            "bare array; fit it to a store, and give the encoder that load_encoder returns"
        )
    return longest


def _check(
    model: SentenceTransformer, reducer: Reducer, teacher: EncoderIdentity | None, *, lifted: bool = False
) -> None:
    """Refuse a reducer that does not belong behind the model, and a model that takes none."""
    if not reducer.is_fitted:
        raise ValueError(f"expected a fitted reducer, got {reducer}; call fit, or load one with load_reducer")
    if teacher is not None:
        reducer.check_fits(teacher)
    if model.truncate_dim is not None:
        raise ValueError(f"expected a model of full width, got truncate_dim={model.truncate_dim}; load it without")
    if (width := (model.get_embedding_dimension() or 0) + lifted) != reducer.n_features_in_:
        raise ValueError(
            f"the reducer takes vectors of width {reducer.n_features_in_}, the model gives width {width}; "
            "choose the teacher that the reducer was fitted to"
        )
    if halves := {str(p.dtype) for p in model.parameters() if p.dtype != torch.float32}:
        raise ValueError(
            f"expected a model in float32, got {', '.join(sorted(halves))}; load it in float32 "
            "(encoder.compute_dtype=float32) and choose the precision when exporting"
        )
