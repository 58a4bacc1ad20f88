"""Run tasks of the mteb package."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch

from projhead.data import Scores
from projhead.protocols import Encoder
from projhead.tasks.documents import stored
from projhead.vectors import Vectors


class MTEB:
    """Hand an encoder to the mteb package and take over its main scores.

    Muennighoff et al., "MTEB: Massive Text Embedding Benchmark", 2023. Data come from the hub, once for all encoders.

    Parameters
    ----------
    names : sequence of str
        Tasks by mteb's own names, such as ``["SciFact", "STSBenchmark"]``.

    Raises
    ------
    ModuleNotFoundError
        If mteb is not installed.
    ValueError
        If it has no task of that name, none is given, or one is not about text alone.
    FileNotFoundError
        If a task's data are not here and the hub does not give them.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self.names = [names] if isinstance(names, str) else list(names)
        if not self.names:
            raise ValueError("names: expected at least one task of mteb, got none; such as names=[SciFact]")
        self._tasks = [_load(name) for name in self.names]

    def run(self, encoder: Encoder, teacher: Encoder) -> Iterator[Scores]:
        """Yield the main score of each task and split: an item for each of its subsets; `teacher` is not used.

        mteb keeps no value per query: the interval of a task without subsets has no width.
        """
        import mteb

        model = _model(encoder)
        for task in self._tasks:
            # mteb would keep results by the model's name, and ours are kept as rows.
            found = mteb.evaluate(model, task, cache=None, show_progress_bar=False, co2_tracker=False)
            scores = found.task_results[0].scores
            metric = str(task.metadata.main_score).replace("_at_", "@")
            for split, subsets in scores.items():
                name = f"mteb/{task.metadata.name}" + (f" {split}" if len(scores) > 1 else "")
                yield Scores(name, metric, np.array([subset["main_score"] for subset in subsets], np.float64))


def _load(name: str) -> Any:
    """Return a task with its data."""
    try:
        import mteb
    except ImportError as error:
        raise ModuleNotFoundError("task=mteb needs the package mteb: pip install 'projhead[mteb]'") from error
    try:
        task = mteb.get_task(name)
    except KeyError as error:
        raise ValueError(f"names: expected tasks of mteb, got {name!r}: {error.args[0]}") from error
    if task.modalities != ["text"]:
        raise ValueError(f"names: expected tasks on text, got {name}, which is on {', '.join(task.modalities)}")
    if not task.data_loaded:
        try:
            task.load_data()
        except Exception as error:  # of datasets, the hub's client, or whichever http library below them
            reason = (str(error).strip() or type(error).__name__).splitlines()[0]
            raise FileNotFoundError(
                f"the data of mteb's task {name} are not here and the hub does not give them: {reason}; "
                "check the connection; where they were downloaded before, HF_HUB_OFFLINE=1 finds them"
            ) from error
    return task


def _model(encoder: Encoder) -> Any:
    """Return an encoder as mteb wants it: each side by its own way."""
    from mteb.models import ModelMeta
    from mteb.models.abs_encoder import AbsEncoder
    from mteb.types import PromptType

    class Model(AbsEncoder):  # type: ignore[misc, unused-ignore]
        mteb_model_meta = ModelMeta.create_empty(
            {
                "name": f"projhead/{encoder.name.replace('/', '_')}",
                "revision": encoder.identity.key,
                "embed_dim": encoder.dimension,
                "similarity_fn_name": "dot",  # rows are of unit length, but for documents in fewer bytes
            }
        )

        def __init__(self) -> None:
            pass

        def encode(self, inputs: Any, *, prompt_type: Any = None, **_: Any) -> Vectors:
            texts = [text for batch in inputs for text in batch["text"]]
            if prompt_type == PromptType.document:
                return stored(encoder, encoder.encode_document(texts))
            return encoder.encode_query(texts) if prompt_type == PromptType.query else encoder.encode(texts)

        def similarity(self, left: Any, right: Any) -> torch.Tensor:
            return torch.as_tensor(left) @ torch.as_tensor(right).T

        def similarity_pairwise(self, left: Any, right: Any) -> torch.Tensor:
            return (torch.as_tensor(left) * torch.as_tensor(right)).sum(-1)

    return Model()
