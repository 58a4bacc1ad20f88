"""The student: a teacher's network with the head inside, as a stock `SentenceTransformer`."""

from __future__ import annotations

import copy

import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Dense, Normalize
from torch import nn

from projhead.reducers.base import Reducer


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
            dense.linear.load_state_dict(layer.state_dict())
            modules.append(dense)
        elif modules and isinstance(modules[-1].activation_function, nn.Identity):
            modules[-1].activation_function = layer
        else:
            raise ValueError(f"expected linear layers with at most one activation each, got {layer}")
    return modules


def build_student(model: SentenceTransformer, reducer: Reducer, revision: str | None = None) -> SentenceTransformer:
    """Put a fitted reducer behind a teacher.

    Parameters
    ----------
    model : SentenceTransformer
        The teacher; its modules are shared, not copied.
    reducer : Reducer
        Fitted to the teacher's unit rows.
    revision : str, optional
        The teacher's revision, to be compared with the one the reducer was fitted to.

    Returns
    -------
    SentenceTransformer
        The teacher's modules, `Normalize` where it does not end in one, `Dense` modules, `Normalize`: its rows are
        those of teacher and reducer to 1e-5.

    Raises
    ------
    ValueError
        If the reducer was fitted to another teacher, or another width.
    """
    teacher = reducer.teacher_
    if teacher is not None and revision is not None and teacher.revision != revision:
        raise ValueError(
            f"the reducer was fitted to {teacher.name} (revision {teacher.revision}), got a model of revision "
            f"{revision}; choose that teacher, or train again"
        )
    if model.get_embedding_dimension() != reducer.n_features_in_:
        raise ValueError(
            f"the reducer takes vectors of width {reducer.n_features_in_}, "
            f"the model gives width {model.get_embedding_dimension()}"
        )
    modules = list(model)
    if not isinstance(modules[-1], Normalize):
        modules.append(Normalize())
    modules += [*dense_modules(copy.deepcopy(reducer.head_)), Normalize()]
    student = SentenceTransformer(
        modules=modules,
        device=str(model.device),
        prompts={name: text for name, text in model.prompts.items() if text is not None},
    )
    student.requires_grad_(False)
    return student.eval()


class Graph(nn.Module):
    """A student from token ids to unit rows, with tensors in and a tensor out, as exporters want it.

    Parameters
    ----------
    student : SentenceTransformer
    """

    def __init__(self, student: SentenceTransformer) -> None:
        super().__init__()
        self.stages = nn.ModuleList(student)
        example = student.preprocess(["a text", "another text, a longer one"])
        #: Names and example tensors (2, t) of the inputs, in the order of `forward`.
        self.inputs = {name: value.cpu() for name, value in example.items() if isinstance(value, torch.Tensor)}

    def forward(self, *tensors: torch.Tensor) -> torch.Tensor:
        """Return unit rows (b, k) for the inputs (b, t)."""
        features = dict(zip(self.inputs, tensors, strict=True))
        for stage in self.stages:
            features = stage(features)
        return features["sentence_embedding"]
