"""What is imported when: by the modules that are there, not by the time that a busy machine takes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ARTIFACTS = Path(__file__).parent / "fixtures" / "v1" / "artifacts"

_SCRIPT = """
import json, sys

def loaded():
    return sorted({name.split(".")[0] for name in sys.modules})

import projhead
first = loaded()
from projhead import LearnedReducer, load_reducer
second = loaded()
reducer = load_reducer(sys.argv[1])
reducer.transform([[1.0] * reducer.n_features_in_])
print(json.dumps([first, second, loaded()]))
"""


def imported(artifact: str) -> list[set[str]]:
    command = [sys.executable, "-c", _SCRIPT, str(ARTIFACTS / artifact)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return [set(names) for names in json.loads(done.stdout)]


def test_a_head_is_loaded_and_applied_without_what_only_training_needs() -> None:
    face, class_, applied = imported("learned_mlp")
    assert not face & {"numpy", "torch", "sklearn", "pydantic"}
    heavy = {"pytorch_lightning", "lightning_fabric", "torchmetrics", "transformers", "sentence_transformers"}
    for modules in (class_, applied):
        assert not modules & (heavy | {"datasets", "matplotlib", "hydra", "mteb", "faiss"})
    assert "torch" not in class_


def test_a_linear_head_is_loaded_and_applied_by_numpy_alone() -> None:
    *_, applied = imported("learned_linear")
    assert "torch" not in applied
