"""``projhead search``: typed queries, answered with texts and scores."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from projhead import spec
from projhead.commands.index import FORMAT, VERSION
from projhead.files import sha256_of
from projhead.protocols import Encoder, Index
from projhead.store import EmbeddingStore


def run(cfg: DictConfig) -> float:
    """Print the nearest texts of every query; return the best score of the last one."""
    if cfg.query == "-":
        queries = [line.rstrip("\n") for line in sys.stdin]
    else:
        queries = [cfg.query] if isinstance(cfg.query, str) else [str(query) for query in cfg.query]
    searcher = Searcher(Path(cfg.path))
    best = 0.0
    for query in queries:
        print(f"\n{query}")
        for rank, (score, name, text) in enumerate(searcher(query, cfg.top_k), start=1):
            best = score if rank == 1 else best
            print(f"  {rank:>2}  {score:.3f}  {name}  {text[:110]}")
    return best


class Searcher:
    """An index, the store that it was built on, and the encoder that both speak for.

    Parameters
    ----------
    path : Path
        A folder that ``projhead index`` wrote.

    Raises
    ------
    FileNotFoundError, ValueError
        If there is no index; if it is damaged, or not of its store any more.
    """

    def __init__(self, path: Path) -> None:
        record = _record(path)
        if sha256_of(path / "index.bin") != record["sha256"]:
            raise ValueError(f"{path / 'index.bin'} is damaged: build the index again")
        self.store = EmbeddingStore.open(record["store"])
        if self.store.manifest.corpus != record["corpus"] or self.store.manifest.encoder != record["encoder"]:
            raise ValueError(f"{record['store']} was written again after the index {path}: build the index again")
        self.index: Index = spec.build(record["index"], "projhead.indexes")
        self.index.load(path / "index.bin")
        if record["encoder"]["spec"] is None:
            raise ValueError(f"{path}: its encoder cannot be built from a record ({record['encoder']['name']})")
        self.encoder: Encoder = spec.build(record["encoder"]["spec"], "projhead.encoders")
        if self.encoder.revision != record["encoder"]["revision"]:
            raise ValueError(
                f"{path} speaks for {record['encoder']['name']} at revision {record['encoder']['revision']}, "
                f"which is now {self.encoder.revision}: encode and index again"
            )

    def __call__(self, query: str, top_k: int) -> list[tuple[float, str, str]]:
        """Return (score, id, text) of the nearest documents, best first."""
        scores, numbers = self.index.search(self.encoder.encode([query]), top_k)
        found = [
            (float(score), int(number)) for score, number in zip(scores[0], numbers[0], strict=True) if number >= 0
        ]
        documents = self.store.documents([number for _, number in found])
        return [(score, document.id, document.text) for (score, _), document in zip(found, documents, strict=True)]


def _record(path: Path) -> dict[str, Any]:
    """Read and check ``index.json``."""
    file = path / "index.json"
    if not file.is_file():
        raise FileNotFoundError(f"no index in {path}: expected {file}; 'projhead index' writes one")
    try:
        record: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        found = (record["format"], record["version"])
    except (ValueError, TypeError, KeyError) as error:
        raise ValueError(f"{file} is damaged: {error}") from error
    if found != (FORMAT, VERSION) or not {"index", "sha256", "store", "corpus", "encoder"} <= set(record):
        raise ValueError(f"{file}: expected format and version {(FORMAT, VERSION)} and all its keys, got {found}")
    return record
