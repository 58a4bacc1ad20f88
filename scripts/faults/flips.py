"""Change bytes of whatever projhead writes under digests, one at a time: refused, or the very same answers.

    python scripts/faults/flips.py [--flips 10000] [--kinds artifact store "index faiss" ...]

Every file of every kind of folder is hit, the small ones as often as the large. Some bytes mean nothing, such as a
blank of a record for another. Cards (README.md) and result rows are text for people to edit, under no digest.
"""

from __future__ import annotations

import logging
import shutil
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from harness import bench_parser, digest, told, workplace
from tqdm import tqdm

from projhead.codecs.base import load_codec
from projhead.codecs.integer import Integer
from projhead.codecs.itq import ITQ
from projhead.data import Document
from projhead.encoders.precomputed import Precomputed
from projhead.errors import UserError, mendable
from projhead.exporters.by_format import export
from projhead.indexes.base import BaseIndex, load_index
from projhead.persistence.record import CARD, read_record
from projhead.persistence.registry import build
from projhead.reducers.base import load_reducer
from projhead.reducers.pca import PCA
from projhead.settings.options import option
from projhead.store.store import EmbeddingStore
from projhead.store.write import write_store
from projhead.training.checkpoints import WholeCheckpoints, last_checkpoint
from projhead.vectors import unit_rows

#: Kinds of index, and those that need a package of their own.
INDEXES = ("exact", "faiss", "faiss_binary", "rescore")
PACKAGES = {"annoy": "annoy", "milvus": "pymilvus"}
COLUMNS = ("flips", "refused", "same answers", "other answers", "tracebacks")


class Kind(NamedTuple):
    """A kind of folder: what writes one, and what is read of it."""

    write: Callable[[Path], Any]
    read: Callable[[Path], Any]


def kinds(root: Path, packages: bool = True) -> Iterator[tuple[str, Kind]]:
    """Yield every kind of folder under a record; those of other packages too, which start threads of their own."""
    rows = unit_rows(np.random.default_rng(0).normal(size=(500, 32)))
    np.save(root / "v.npy", rows)
    reducer = PCA(8).fit(rows)
    yield "artifact", Kind(reducer.save, lambda path: digest(load_reducer(path).transform(rows[:20])))
    for codec in (Integer(8), ITQ(16)):
        read = lambda path: digest(load_codec(path).encode(rows[:20]))  # noqa: E731
        yield f"codec {codec.name}", Kind(codec.fit(rows).save, read)
    for name, stored in (("store", None), ("store of codes", Integer(8))):
        yield name, Kind(lambda path, stored=stored: _store(path, root, stored), _stored)
        begin = lambda path, stored=stored: _begin(path, root, stored)  # noqa: E731
        yield f"unfinished {name}", Kind(begin, lambda path, stored=stored: _gone_on_with(path, root, stored))
    yield "checkpoint", Kind(_keep_checkpoint, _kept_checkpoint)
    for name in ("head_faiss", "head_dense"):
        write = lambda path, name=name: export(reducer, path, format=name, calibrate=rows)  # noqa: E731
        yield f"export {name}", Kind(write, lambda path: digest(read_record(path, "export", ()).body["parity"]))
    here = [name for name, package in PACKAGES.items() if find_spec(package)] if packages else []
    for name in (*INDEXES, *here):
        index: BaseIndex = build(option("index", name), "index")
        write = lambda path, index=index: index.build(rows, ids=np.arange(500) * 3).save(path)  # noqa: E731
        yield f"index {name}", Kind(write, lambda path: digest(*load_index(path).search(rows[:20], 5)))


def _keep_checkpoint(path: Path) -> None:
    WholeCheckpoints().save_checkpoint({"state_dict": {"weight": torch.arange(64.0)}, "step": 3}, path / "last.ckpt")


def _kept_checkpoint(path: Path) -> str:
    if (found := last_checkpoint(path)) is None:
        raise UserError(f"{path}: expected a whole checkpoint, got none")
    said = torch.load(found, weights_only=True)
    return digest(said["step"], said["state_dict"]["weight"].numpy())


def _store(path: Path, root: Path, codec: Any, most: int = 500) -> None:
    encoder = Precomputed(str(root / "v.npy"))
    documents = _cut_off(encoder.documents("all"), most)
    write_store(path, encoder, documents, codec=codec, shard_rows=200, calibration_rows=200)


def _begin(path: Path, root: Path, codec: Any) -> None:
    """Write two shards of three: one that the manifest names, and one that is only noted beside it."""
    with suppress(InterruptedError):
        _store(path, root, codec, most=450)


def _cut_off(documents: Iterator[Document], after: int) -> Iterator[Document]:
    yield from islice(documents, after)
    if next(documents, None) is not None:
        raise InterruptedError


def _gone_on_with(path: Path, root: Path, codec: Any) -> str:
    again = path.with_name(f"{path.name}-again")
    shutil.rmtree(again, ignore_errors=True)
    shutil.copytree(path, again)
    _store(again, root, codec)
    return _stored(again)


def _stored(path: Path) -> str:
    store = EmbeddingStore.open(path)
    return digest(store.rows, store.ids, store.texts, vars(store.manifest))


def flipped(kind: Kind, path: Path, flips: int, generator: np.random.Generator) -> tuple[Counter[str], list[str]]:
    """Change one byte at a time, and put it back."""
    kind.write(path)
    expected, found, lines = kind.read(path), Counter[str](), []
    files = sorted(file for file in path.rglob("*") if file.is_file() and file.stat().st_size and file.name != CARD)
    for turn in tqdm(range(flips), desc=path.name, unit="flip", leave=False):
        file = files[turn % len(files)]
        whole = file.read_bytes()
        position, change = int(generator.integers(len(whole))), int(generator.integers(1, 256))
        file.write_bytes(whole[:position] + bytes([whole[position] ^ change]) + whole[position + 1 :])
        ended = _outcome(kind, path, expected)
        found["flips"] += 1
        found[ended] += 1
        if ended in ("other answers", "tracebacks"):
            lines.append(f"{ended}: {file.relative_to(path.parent)}, byte {position} ^ {change}")
        file.write_bytes(whole)
    return found, lines


def _outcome(kind: Kind, path: Path, expected: Any) -> str:
    try:
        return "same answers" if kind.read(path) == expected else "other answers"
    except Exception as error:
        return "refused" if mendable(error) else "tracebacks"


def run(flips: int, names: list[str] | None = None, packages: bool = True) -> tuple[dict[str, Counter[str]], list[str]]:
    """Return the counts of each kind, and what should not have been."""
    counts, lines, generator = {}, [], np.random.default_rng(0)
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    with workplace() as (root, _):
        root.mkdir()
        chosen = [(name, kind) for name, kind in kinds(root, packages) if not names or name in names]
        for name, kind in chosen:
            counts[name], more = flipped(kind, root / name.replace(" ", "-"), -(-flips // len(chosen)), generator)
            lines += more
    return counts, lines


def main() -> None:
    parser = bench_parser(__doc__)
    parser.add_argument("--flips", type=int, default=10_000)
    parser.add_argument("--kinds", nargs="+", help="names of kinds; all where not given")
    arguments = parser.parse_args()
    counts, lines = run(arguments.flips, arguments.kinds)
    told(counts, lines, COLUMNS)
    raise SystemExit(bool(lines))


if __name__ == "__main__":
    main()
