"""What other tools make of the same student, run by an interpreter of their own, for they pin other libraries.

    python -m venv peers
    peers/bin/pip install torch
    peers/bin/pip install 'sentence-transformers[onnx,openvino]' datasets 'model2vec[distill]==0.6.0' fastembed
    python scripts/encode_speed/exports.py ARTIFACT --peers peers/bin/python

`exports.py` runs this file by that interpreter, once as ``build FOLDER``, which writes what each tool makes of the
student in FOLDER/stock, and once as ``serve FOLDER [NAME ...]``, which answers passes over pipes: a line of JSON in, a
line of JSON out. A pass is measured where it runs, so that neither the pipe nor the waiting counts. A tool that is not
installed there, or cannot do its part, is left out and its reason printed.

Every tool keeps its own settings and batches. sentence-transformers' quantizers are called as its documentation does
(dynamic int8 for AVX512-VNNI; OpenVINO's static int8, calibrated on the same texts as ours); its exports hold the
transformer alone, and torch runs the head behind it. fastembed runs the same int8 file without the head, and
projhead's with it. model2vec makes a table of the bare encoder, 256 wide as it does by itself (0.7.0 and later
want other libraries than sentence-transformers' exports, or put tokens out of order beside them).
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

Encode = Callable[[list[str]], Any]
TABLE = "model2vec table"


class Peers:
    """The other interpreter, seen from this one.

    Parameters
    ----------
    python : str
        The interpreter.
    folder : Path
        What `build` wrote.
    names : sequence of str
        Candidates to load; all where there are none.

    Attributes
    ----------
    megabytes : dict of str to float
        The size of each system that loads there.
    """

    def __init__(self, python: str, folder: Path, names: Sequence[str] = ()) -> None:
        self.python, self.folder = python, folder
        command = [python, __file__, "serve", str(folder), *names]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.megabytes: dict[str, float] = self._answer()

    def __call__(self, name: str, texts: Sequence[str]) -> tuple[float, float, Any]:
        """Return wall and processor seconds of one pass, and its rows (n, k)."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"name": name, "texts": texts}) + "\n")
        self._process.stdin.flush()
        answer = self._answer()
        self.peak_megabytes = float(answer["peak_megabytes"])
        return answer["wall"], answer["processor"], np.load(self.folder / "rows.npy")

    def _answer(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            self.close()
            raise SystemExit(f"--peers: its interpreter ended ({self._process.returncode}); what it said is above")
        return json.loads(line)

    def close(self) -> None:
        """End the other interpreter."""
        self._process.communicate()

    def peaks(self, texts: Sequence[str]) -> dict[str, float]:
        """Return the peak resident memory, in MB, of each system in a process of its own."""
        found = {}
        for name in self.megabytes:
            if name == TABLE:  # which is made there: its peak is that of the network
                continue
            alone = Peers(self.python, self.folder, [name])
            alone(name, texts)
            alone.close()
            found[name] = alone.peak_megabytes
        return found


def build_peers(python: str, folder: Path, width: int, calibration: Sequence[str], names: Sequence[str] = ()) -> Peers:
    """Have the other tools write what they make of FOLDER/stock, whose rows have a width, and start them."""
    if (folder / "peers").exists():  # by an earlier run
        return Peers(python, folder, names)
    (folder / "calibration").mkdir()
    lines = "".join(json.dumps({"text": text}) + "\n" for text in calibration)
    (folder / "calibration" / "train.jsonl").write_text(lines)
    (folder / "width.json").write_text(json.dumps(width))
    subprocess.run([python, __file__, "build", str(folder)], check=True, stdout=sys.stderr)
    return Peers(python, folder, names)


def build(folder: Path) -> None:
    """Write ``FOLDER/peers/<name>`` for each tool."""
    for name, write in PEERS.items():
        path = folder / "peers" / name
        with _left_out(name, path):
            write(folder, path)


def _onnx(folder: Path, path: Path) -> None:
    _sentence_transformer(folder / "stock", "onnx").save_pretrained(str(path))


def _onnx_int8(folder: Path, path: Path) -> None:
    from sentence_transformers.backend import export_dynamic_quantized_onnx_model

    shutil.copytree(folder / "peers" / "stock onnx", path)
    export_dynamic_quantized_onnx_model(_sentence_transformer(path, "onnx"), "avx512_vnni", str(path))
    (path / "onnx" / "model.onnx").unlink()


def _openvino(folder: Path, path: Path) -> None:
    _sentence_transformer(folder / "stock", "openvino").save_pretrained(str(path))


def _openvino_int8(folder: Path, path: Path) -> None:
    from sentence_transformers.backend import export_static_quantized_openvino_model

    shutil.copytree(folder / "peers" / "stock openvino", path)
    export_static_quantized_openvino_model(
        _sentence_transformer(path, "openvino"),
        None,
        str(path),
        dataset_name=str(folder / "calibration"),
        dataset_config_name="default",
        dataset_split="train",
        column_name="text",
    )
    for file in (path / "openvino").glob("openvino_model.*"):
        file.unlink()


def _model2vec(folder: Path, path: Path) -> None:
    from model2vec.distill import distill

    distill(model_name=str(folder / "stock")).save_pretrained(path)


def _fastembed_theirs(folder: Path, path: Path) -> None:
    shutil.copytree(folder / "peers" / "stock onnx int8", path)
    next((path / "onnx").glob("*.onnx")).rename(path / "model.onnx")


def _fastembed_ours(folder: Path, path: Path) -> None:
    shutil.copytree(folder / "onnx_int8", path)


PEERS: dict[str, Callable[[Path, Path], None]] = {
    "stock onnx": _onnx,
    "stock onnx int8": _onnx_int8,
    "stock openvino": _openvino,
    "stock openvino int8": _openvino_int8,
    "fastembed, bare int8": _fastembed_theirs,
    "fastembed, our onnx_int8": _fastembed_ours,
    TABLE: _model2vec,
}


def load(name: str, path: Path) -> Encode:
    """Load what `build` wrote, as its tool's documentation says."""
    if name.startswith("stock"):
        model = _sentence_transformer(path, name.split()[1])
        return partial(model.encode, normalize_embeddings=True)
    if name.startswith("fastembed"):
        return _fastembed(name, path, pooled="our" in name)
    from model2vec.distill import distill

    # Made anew: 0.6.0 reads its own folder back with tokens out of order, beside the tokenizers that the others want.
    # Beyond 10,000 texts it would start processes, whose time is not this one's.
    return partial(distill(model_name=str(path.parents[1] / "stock")).encode, use_multiprocessing=False)


def _sentence_transformer(path: Path, backend: str) -> Any:
    from sentence_transformers import SentenceTransformer

    graphs = sorted((path / backend).glob("*.onnx" if backend == "onnx" else "*.xml"))
    settings = {"file_name": f"{backend}/{graphs[0].name}"} if graphs else {}
    return SentenceTransformer(str(path), backend=backend, device="cpu", model_kwargs=settings)  # type: ignore[arg-type]


def _fastembed(name: str, path: Path, *, pooled: bool) -> Encode:
    from fastembed import TextEmbedding
    from fastembed.common.model_description import ModelSource, PoolingType

    width = json.loads((path.parents[1] / "width.json").read_text())
    TextEmbedding.add_custom_model(
        model=name, pooling=PoolingType.DISABLED if pooled else PoolingType.MEAN, normalization=True,
        sources=ModelSource(hf=name), dim=width, model_file="model.onnx",
    )  # fmt: skip
    model = TextEmbedding(name, specific_model_path=str(path))
    return lambda texts: np.stack(list(model.embed(texts)))


def serve(folder: Path, names: Sequence[str]) -> None:
    """Load, say what was loaded, then answer passes until the pipe is closed."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # libraries print too
    systems: dict[str, Encode] = {}
    for name in names or PEERS:
        path = folder / "peers" / name
        if path.exists():
            with _left_out(name, path):
                systems[name] = load(name, path)
                systems[name](["warm"])
    sizes = {
        name: sum(f.stat().st_size for f in (folder / "peers" / name).rglob("*") if f.is_file()) for name in systems
    }
    print(json.dumps({name: size / 1e6 for name, size in sizes.items()}), file=answers, flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        started, busy = time.perf_counter(), time.process_time()
        rows: Any = systems[request["name"]](request["texts"])
        answer = {"wall": time.perf_counter() - started, "processor": time.process_time() - busy}
        answer["peak_megabytes"] = peak_megabytes()
        rows = np.asarray(rows, np.float32)
        np.save(folder / "rows.npy", rows / np.linalg.norm(rows, axis=1, keepdims=True).clip(1e-12))
        print(json.dumps(answer), file=answers, flush=True)


def peak_megabytes() -> float:
    """Return this process's peak resident memory; Linux's own count, as getrusage's begins at the parent's."""
    status = Path("/proc/self/status").read_text()
    return float(status.partition("VmHWM:")[2].split()[0]) / 1024


@contextmanager
def _left_out(name: str, path: Path) -> Iterator[None]:
    """Say why a tool cannot do its part, remove what it left, and go on."""
    try:
        yield
    except Exception as error:  # each tool raises its own kinds
        shutil.rmtree(path, ignore_errors=True)
        print(f"left out: {name}: {type(error).__name__}: {str(error)[:300]}", file=sys.stderr)


if __name__ == "__main__":
    action, where, *chosen = sys.argv[1:]
    if action == "build":
        build(Path(where))
    else:
        serve(Path(where), chosen)
