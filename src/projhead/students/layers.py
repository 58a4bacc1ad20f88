"""A student with some of the teacher's layers."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import numpy as np
from sentence_transformers import SentenceTransformer
from torch import nn

from projhead.encoders.sentence_transformer import SentenceTransformerEncoder
from projhead.protocols import Encoder
from projhead.settings.ranges import Count


class Layers:
    """Keep chosen layers of the teacher's network; embedding, pooling and what else there is stay.

    After Sanh et al., "DistilBERT", 2019, which starts from every second layer of its teacher.

    Parameters
    ----------
    layers : int or sequence of int
        How many, evenly spaced from the first to the last, or which, counted from 0.
    """

    #: The network's rows are to be the teacher's.
    aligned = True

    def __init__(self, layers: Count | Sequence[Count]) -> None:
        self.layers = layers if isinstance(layers, int) else list(layers)

    def __call__(self, teacher: Encoder, texts: Sequence[str]) -> SentenceTransformer:
        """Return the shortened copy of the teacher's model.

        Raises
        ------
        ValueError
            If the teacher is no sentence-transformers model, or has no such layers.
        """
        if not isinstance(teacher, SentenceTransformerEncoder):
            raise ValueError(
                f"student=layers: expected a sentence-transformers teacher to take layers of, got {teacher.name}; "
                "student=pretrained takes any teacher"
            )
        model = copy.deepcopy(teacher.model).float()
        transformer: Any = model[0]
        network = getattr(transformer, "auto_model", None)
        owner, name = _stack(network)
        stack = getattr(owner, name)
        kept = self._kept(len(stack))
        setattr(owner, name, nn.ModuleList([stack[number] for number in kept]))
        config: Any = network.config  # type: ignore[union-attr]
        config.num_hidden_layers = len(kept)
        if getattr(config, "layer_types", None):  # attention of several kinds, in an order
            config.layer_types = [config.layer_types[number] for number in kept]
        return model

    def _kept(self, total: int) -> list[int]:
        if isinstance(self.layers, int):
            if not 1 <= self.layers <= total:
                raise ValueError(f"layers: expected 1 to {total}, the teacher's, got {self.layers}")
            return [int(number) for number in np.linspace(0, total - 1, self.layers).round()]
        if (
            not self.layers
            or sorted(set(self.layers)) != self.layers
            or not 0 <= self.layers[0] <= self.layers[-1] < total
        ):
            raise ValueError(f"layers: expected rising numbers from 0 to {total - 1}, got {self.layers}")
        return self.layers


def _stack(network: Any) -> tuple[nn.Module, str]:
    """Return the module that holds the layers, and under which name."""
    total = getattr(getattr(network, "config", None), "num_hidden_layers", None)
    found = [
        (owner, name)
        for owner in (network.modules() if isinstance(network, nn.Module) else ())
        for name, child in owner.named_children()
        if isinstance(child, nn.ModuleList) and len(child) == total
    ]
    if len(found) != 1:
        raise ValueError(
            f"student=layers: expected a network with one list of {total} layers, got {type(network).__name__} with "
            f"{len(found)}; student=static or student=pretrained take other networks"
        )
    return found[0]
