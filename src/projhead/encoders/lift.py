"""A sentence-transformers module that keeps a row's length as one more coordinate."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modules import Module
from sentence_transformers.util import import_from_string

from projhead.data import IS_QUERY


class Lift(Module):
    """Rows (b, d) whose lengths matter to unit rows (b, d + 1): those of `projhead.encoders.lifted`.

    The only module of a student that is not sentence-transformers' own, as nothing of theirs can keep a length. A
    folder that has it is loaded by `projhead.load_encoder`, and refused by ``SentenceTransformer``, which trusts no
    other package's modules.

    Parameters
    ----------
    longest : float
        Length that no document's row exceeds.
    in_features : int
        Width d.
    """

    config_keys = ["longest", "in_features"]  # noqa: RUF012  # as the class above declares it
    forward_kwargs = {"task"}  # noqa: RUF012

    def __init__(self, longest: float, in_features: int) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.longest, self.in_features = longest, in_features

    def forward(self, features: dict[str, Any], task: str | None = None, **more: Any) -> dict[str, Any]:
        """Lift the rows; of texts that are no documents only the direction counts.

        Raises
        ------
        ValueError
            If a document's row is longer than the longest. In a graph, which cannot raise, its row is NaN.
        """
        rows = features["sentence_embedding"].float()
        length = rows.norm(dim=1, keepdim=True) / self.longest
        document = torch.cat([rows / self.longest, (1 - length**2).sqrt()], dim=1)
        asks = torch.cat([torch.nn.functional.normalize(rows, dim=1), torch.zeros_like(length)], dim=1)
        if IS_QUERY in features:
            features["sentence_embedding"] = torch.where(features[IS_QUERY] > 0, asks, document)
            return features
        if task == "document" and bool((length > 1).any()):
            raise ValueError(
                f"expected documents' rows no longer than {self.longest:g}, got one of "
                f"{float(length.max()) * self.longest:.4g}: train with a larger encoder.longest"
            )
        features["sentence_embedding"] = document if task == "document" else asks
        return features

    def get_embedding_dimension(self) -> int:
        """Return the width of the lifted rows."""
        return self.in_features + 1

    def save(self, output_path: str, *args: Any, safe_serialization: bool = True, **kwargs: Any) -> None:
        """Write the numbers."""
        self.save_config(output_path)


_LIFT = f"{Lift.__module__}.{Lift.__qualname__}"
_STOCK = "sentence_transformers."


def is_lifted(folder: str | Path) -> bool:
    """Say whether a folder is a sentence-transformers model with a `Lift`."""
    path = Path(folder) / "modules.json"
    return path.is_file() and _LIFT in path.read_text(encoding="utf-8")


def load_lifted(folder: str | Path, device: str | None = None, **settings: Any) -> SentenceTransformer:
    """Load such a folder, whose other modules must be sentence-transformers' own.

    Parameters
    ----------
    folder : path
    device : str, optional
    **settings
        As the modules' ``load`` takes them.

    Raises
    ------
    ValueError
        If a module is neither stock nor `Lift`.
    """
    top = Path(folder)
    entries = json.loads((top / "modules.json").read_text(encoding="utf-8"))
    if others := [one["type"] for one in entries if one["type"] != _LIFT and not one["type"].startswith(_STOCK)]:
        raise ValueError(f"{top}: expected stock modules and {_LIFT}, got {others[0]}: refused")
    modules = [_class_of(one["type"]).load(str(top), subfolder=one["path"], **settings) for one in entries]
    said = json.loads((top / "config_sentence_transformers.json").read_text(encoding="utf-8"))
    kept = ("prompts", "default_prompt_name", "similarity_fn_name")
    return SentenceTransformer(modules=modules, device=device, **{name: said.get(name) for name in kept})


def _class_of(name: str) -> Any:
    return Lift if name == _LIFT else import_from_string(name)
