"""Which environment each consumer is run in, and by which driver."""

from __future__ import annotations

import subprocess
import sys
import venv
from pathlib import Path
from typing import NamedTuple

_TORCH = "torch==2.13.0"
#: What sentence-transformers runs graphs by, and what that holds back: pip finds it sooner where it is said.
_OPTIMUM = ("optimum-onnx[onnxruntime]", "optimum-intel[openvino]", "sentence-transformers<6", "transformers<5")


class Run(NamedTuple):
    """A consumer that installs from the package index.

    Attributes
    ----------
    consumer : str
        As `projhead.exporters.consumers` calls it.
    requirements : tuple of str
    driver : str
    """

    consumer: str
    requirements: tuple[str, ...]
    driver: str


#: By the name of the environment.
RUNS = {
    "sentence-transformers-6": Run(
        "sentence-transformers", ("sentence-transformers>=6,<7", _TORCH), "run_sentence_transformers.py"
    ),
    "sentence-transformers-5": Run(
        "sentence-transformers", ("sentence-transformers>=5,<6", _TORCH), "run_sentence_transformers.py"
    ),
    "optimum": Run("sentence-transformers", (*_OPTIMUM, _TORCH), "run_sentence_transformers.py"),
    "langchain": Run("langchain", ("langchain-huggingface", *_OPTIMUM, _TORCH), "run_langchain.py"),
    "llama-index": Run("llama-index", ("llama-index-embeddings-huggingface", *_OPTIMUM, _TORCH), "run_llama_index.py"),
    "haystack": Run(
        "haystack", ("haystack-ai", "sentence-transformers-haystack", *_OPTIMUM, _TORCH), "run_haystack.py"
    ),
    "bertopic": Run("bertopic", ("bertopic", *_OPTIMUM, _TORCH), "run_bertopic.py"),
    "txtai": Run("txtai", ("txtai", "sentence-transformers", _TORCH), "run_txtai.py"),
    "fastembed": Run("fastembed", ("fastembed",), "run_fastembed.py"),
    "infinity": Run("infinity", ("infinity-emb[torch,optimum]", _TORCH), "run_infinity.py"),
    "onnxruntime": Run("onnxruntime", ("onnxruntime", "tokenizers"), "run_card.py"),
    "openvino": Run("openvino", ("openvino", "tokenizers"), "run_card.py"),
    "model2vec": Run("model2vec", ("model2vec",), "run_model2vec.py"),
    "transformers.js": Run("transformers.js", ("@huggingface/transformers",), "run_transformers_js.mjs"),
}


def prepared(name: str, root: Path) -> list[str]:
    """Return the command that runs a driver in an environment of its own, made where it is not there yet."""
    run, place = RUNS[name], root / name
    if run.driver.endswith(".mjs"):
        if not (place / "node_modules").is_dir():
            place.mkdir(parents=True, exist_ok=True)
            subprocess.run(["npm", "install", "--ignore-scripts", *run.requirements], cwd=place, check=True)
        return ["node"]
    python = place / "bin" / "python"
    if not python.is_file():
        venv.create(place, with_pip=True)
        subprocess.run(
            [python, "-m", "pip", "install", "-q", "--no-compile", *run.requirements], check=True, stdout=sys.stderr
        )
    return [str(python)]
