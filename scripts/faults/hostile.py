"""Open what a stranger may send: records that he signed himself, files of every format, pickles. No code may run.

    python scripts/faults/hostile.py [--cases 600]

Records are changed in any one place to values that mean harm, and given the digests that make them whole; files are
cut, swapped for pickles, and made to claim what they do not hold. Each is opened in a process of its own with little
memory and time. It is refused in one line, or opens (strangers send sound folders too); all else is counted.
"""

from __future__ import annotations

import hashlib
import json
import pickle
import resource
import shutil
import struct
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from flips import Kind, kinds
from harness import bench_parser, in_child, told, workplace

from projhead.corpora.files import TextFiles
from projhead.encoders.precomputed import Precomputed
from projhead.persistence.record import _digest
from projhead.report.page import write_report
from projhead.report.results import read_results
from projhead.training.checkpoints import last_checkpoint

COLUMNS = ("cases", "refused", "opened", "code ran", "tracebacks", "hung", "killed")
_MEMORY, _SECONDS = 4 << 30, 30


class Case(NamedTuple):
    """Something to open, and how."""

    name: str
    prepare: Callable[[], Any]
    open: Callable[[], Any]


class Bomb:
    """A pickle that leaves a mark when it is loaded."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.mark,)


def _deep(levels: int = 100_000) -> str:
    return "[" * levels + "]" * levels


def values(mark: Path) -> list[Any]:
    """Return what a setting may be set to by someone who means harm."""
    return [
        None, True, -1, 0, 1, 2**31, 10**12, 10**30, -0.5, 1e308, float("nan"), "", "x" * 100_000, "../../etc/passwd",
        "/etc/passwd", "\x1b[2J\x00", "\ud800", [], {}, [[[[]]]],
        {"class": "os.system", "parameters": {"command": "id"}},
        {"class": "pathlib.Path.touch", "parameters": {"self": str(mark)}}, "os.system", "subprocess.Popen",
        "head/Linear", "codec/../head", {"function": "builtins.eval"},
        {"partial": "os.system", "parameters": {"0": f"touch {mark}"}},
    ]  # fmt: skip


def leaves(node: Any, name: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the way to every value of a record, nodes too."""
    for key, value in node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ():
        yield (*name, key)
        yield from leaves(value, (*name, key))


def records(name: str, kind: Kind, path: Path, mark: Path) -> Iterator[Case]:
    """Yield a folder with any one value of its record changed, under digests of its own."""
    for file in sorted(path.rglob("*.json")):
        record = json.loads(file.read_text(encoding="utf-8"))
        if not isinstance(record, dict) or "body" not in record:
            continue
        for way in leaves(record["body"], ("body",)):
            for bad in values(mark):

                def prepare(record: Any = record, way: Any = way, bad: Any = bad, file: Path = file) -> None:
                    changed = deepcopy(record)
                    node = changed
                    for key in way[:-1]:
                        node = node[key]
                    node[way[-1]] = bad
                    changed["sha256"] = _digest({key: one for key, one in changed.items() if key != "sha256"})
                    file.write_bytes(json.dumps(changed).encode("utf-8", "surrogatepass"))

                yield Case(f"{name}: {'.'.join(map(str, way))} = {bad!r:.60}", prepare, lambda: kind.read(path))


def contents(path: Path, mark: Path) -> Iterator[tuple[str, bytes]]:
    """Yield other bytes for a file."""
    whole, bomb = path.read_bytes(), pickle.dumps(Bomb(mark))
    yield "empty", b""
    yield "cut", whole[: len(whole) // 2]
    yield "a pickle", bomb
    yield "an npy that is a pickle", _npy("|O", (1,), bomb)
    yield "an npy of 10**15 rows", _npy("<f4", (10**15, 32), b"")
    yield "an npy of negative rows", _npy("<f4", (-5, 32), bytes(640))
    yield "an npy with code for a header", b"\x93NUMPY\x01\x00\x20\x00" + b"__import__('os').system('id')\n".ljust(32)
    yield "a header of 2**62 bytes", struct.pack("<Q", 2**62) + b"{}"
    yield "tensors outside the file", _safetensors({"x": {"dtype": "F32", "shape": [9], "data_offsets": [0, 10**12]}})
    yield "tensors of 10**18 items", _safetensors({"x": {"dtype": "F32", "shape": [10**9] * 2, "data_offsets": [0, 4]}})
    yield "JSON nested deeply", _deep().encode()
    yield "zeros", bytes(len(whole))
    yield "ones", b"\xff" * len(whole)


def _npy(dtype: str, shape: tuple[int, ...], rest: bytes) -> bytes:
    header = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + rest


def _safetensors(header: Any) -> bytes:
    told = json.dumps(header).encode()
    return struct.pack("<Q", len(told)) + told + bytes(64)


def replaced(name: str, kind: Kind, path: Path, mark: Path) -> Iterator[Case]:
    """Yield a folder with another file in the place of any one of its own, and a record that calls it right."""
    (record_file,) = [one for one in path.glob("*.json") if "files" in json.loads(one.read_text())]
    record = json.loads(record_file.read_text(encoding="utf-8"))
    journals = [one.name for one in path.glob("*.jsonl")]
    for file in [*record["files"], *journals, *(shard["file"] for shard in record["body"].get("shards", []))]:
        for what, content in contents(path / file, mark):

            def prepare(file: str = file, content: bytes = content) -> None:
                (path / file).write_bytes(content)
                changed = deepcopy(record)
                marks = [one for one in changed["body"].get("shards", []) if one["file"] == file]
                for mark in [*marks, *(changed["files"][one] for one in changed["files"] if one == file)]:
                    mark |= {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
                changed["sha256"] = _digest({key: one for key, one in changed.items() if key != "sha256"})
                record_file.write_text(json.dumps(changed))

            yield Case(f"{name}: {file} is {what}", prepare, lambda: kind.read(path))


def tables(path: Path, mark: Path) -> Iterator[Case]:
    """Yield files of texts, of vectors and of result rows, and a checkpoint."""
    sound = path / "sound"
    sound.write_bytes(b"text\n" * 50)
    more = [
        ("deep", _deep().encode()), ("deep object", b'{"a":' * 50_000), ("a name twice", b'{"text": "a", "text": "b"}'),
        ("a huge number", b'{"text": "a", "n": 1e999999}'), ("digits", b'{"text": ' + b"9" * 10_000 + b"}"),
        ("zero bytes", b"text\na\x00b\n"), ("an open quote", b'text\n"' + b"x\n" * 1000), ("a scalar", b"3"),
        ("PAR1", b"PAR1" + bytes(100) + b"PAR1"),
    ]  # fmt: skip
    openers: dict[str, Callable[[Path], Any]] = {
        ending: lambda file: list(TextFiles(str(file)).documents("all"))
        for ending in (".txt", ".jsonl", ".json", ".csv", ".tsv", ".parquet")
    }
    openers |= {
        ending: lambda file: Precomputed(str(file)) for ending in (".npy", ".safetensors", ".arrow", ".feather")
    }
    openers |= {
        "vectors.parquet": lambda file: Precomputed(str(file)),
        "vectors.jsonl": lambda file: Precomputed(str(file)),
        "results.jsonl": lambda file: write_report(read_results(file), {}, file.parent / "report"),
        "last.ckpt": lambda file: _resumed(file),
    }
    for ending, opener in openers.items():
        for what, content in [*contents(sound, mark), *more]:
            file = path / (ending if "." in ending[1:] else f"file{ending}")
            yield Case(
                f"{file.name} is {what}",
                lambda file=file, content=content: file.write_bytes(content),
                lambda file=file, opener=opener: opener(file),
            )


def _resumed(file: Path) -> Any:
    import torch

    found = last_checkpoint(file.parent)
    return found and torch.load(found, weights_only=True)  # as Lightning's loader is told to


def cases(root: Path, mark: Path) -> Iterator[tuple[str, Iterator[Case]]]:
    """Yield each kind of thing to open, and its cases."""
    for name, kind in kinds(root, packages=False):
        path = root / name.replace(" ", "-")
        kind.write(path)
        if not any(path.rglob("*.json")):  # it has no record
            continue
        yield f"{name}, record", records(name, kind, path, mark)
        yield f"{name}, files", replaced(name, kind, path, mark)
    (root / "tables").mkdir()
    yield "tables, vectors, rows", tables(root / "tables", mark)


def opened(case: Case, root: Path, kept: Path, mark: Path) -> tuple[str, Any]:
    """Return how it went; the folder is then as before."""

    def open_it() -> Any:
        resource.setrlimit(resource.RLIMIT_DATA, (_MEMORY, _MEMORY))
        case.open()

    case.prepare()
    ended = in_child(open_it, _SECONDS)
    shutil.rmtree(root)
    shutil.copytree(kept, root)
    if mark.exists():
        mark.unlink()
        return "code ran", case.name
    names = {"done": "opened", "traceback": "tracebacks"}
    return names.get(ended.how, ended.how), ended.value


def run(most: int) -> tuple[dict[str, Counter[str]], list[str]]:
    """Return the counts of each kind of thing, and what should not have been."""
    counts, lines = {}, []
    warnings.simplefilter("ignore")
    with workplace() as (root, kept):
        root.mkdir()
        mark = root.parent / "mark"
        groups = [(name, list(some)) for name, some in cases(root, mark)]
        shutil.copytree(root, kept)
        for name, some in groups:
            found: Counter[str] = Counter()
            for number in np.unique(np.linspace(0, len(some) - 1, -(-most // len(groups))).astype(int)):
                ended, value = opened(some[number], root, kept, mark)
                found["cases"] += 1
                found[ended] += 1
                if ended not in ("refused", "opened"):
                    lines.append(f"{ended}: {some[number].name}: {value}")
            counts[name] = found
    return counts, lines


def main() -> None:
    parser = bench_parser(__doc__)
    parser.add_argument("--cases", type=int, default=600)
    counts, lines = run(parser.parse_args().cases)
    told(counts, lines, COLUMNS)
    raise SystemExit(bool(lines))


if __name__ == "__main__":
    main()
