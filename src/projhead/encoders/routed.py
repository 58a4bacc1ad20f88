"""An exported `Router`: one graph for queries, another for documents."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from projhead.encoders.again import MadeAgain
from projhead.encoders.graph import GraphEncoder
from projhead.encoders.onnx import OnnxEncoder
from projhead.encoders.openvino import OpenVinoEncoder
from projhead.encoders.sides import SIDES
from projhead.persistence.identity import EncoderIdentity
from projhead.persistence.record import read_record
from projhead.vectors import Vectors

#: The file that says which graph reads texts of no side.
ROUTES = "routes.json"


class _Route:
    """Goes before a `GraphEncoder` to read one side's folder of an export."""

    def _digests(self, folder: Path) -> dict[str, str]:
        files, start = read_record(folder.parent, "export", ()).files, f"{folder.name}/"
        return {name.removeprefix(start): mark["sha256"] for name, mark in files.items() if name.startswith(start)}


class _OnnxRoute(_Route, OnnxEncoder): ...


class _OpenVinoRoute(_Route, OpenVinoEncoder): ...


class _Routed(MadeAgain):
    """A folder whose folders ``query`` and ``document`` are each what a `GraphEncoder` reads.

    It takes what that takes, and raises the same.
    """

    two_sided = True

    def __init__(self, kind: type[GraphEncoder], path: str, **settings: Any) -> None:
        # A folder is kept by its full path, so that a record of this encoder holds from everywhere.
        self.path = os.path.abspath(path)
        folder = Path(self.path)
        self._sides = {side: kind(str(folder / side), **settings) for side in SIDES}
        self._default = json.loads((folder / ROUTES).read_text(encoding="utf-8"))["default"]
        widths = {side: encoder.dimension for side, encoder in self._sides.items()}
        if self._default not in widths or len(set(widths.values())) > 1:
            raise ValueError(f"{folder}: expected two graphs of one width, got {widths}, by default {self._default!r}")
        self.name, self.dimension = folder.name, widths[self._default]
        self.token_budget = self._sides[self._default].token_budget
        of_both = "".join(encoder.identity.fingerprint for encoder in self._sides.values()) + self._default
        asked, found = self._sides["query"].identity, self._sides["document"].identity
        self.identity = EncoderIdentity(
            self.name,
            hashlib.sha256(of_both.encode()).hexdigest()[:16],
            self.dimension,
            query_prompt=asked.query_prompt,
            document_prompt=found.document_prompt,
        )

    def encode_query(self, texts: Sequence[str], *, show_progress: bool = False) -> Vectors:
        """Return unit rows (n, k), float32, of texts that ask, by the graph for queries."""
        return self._sides["query"].encode_query(texts, show_progress=show_progress)

    def encode_document(self, texts: Sequence[str], *, show_progress: bool = False) -> Vectors:
        """Return unit rows (n, k), float32, of texts that are searched, by the graph for documents."""
        return self._sides["document"].encode_document(texts, show_progress=show_progress)

    def encode(self, texts: Sequence[str], *, show_progress: bool = False) -> Vectors:
        """Return unit rows (n, k), float32, of texts of no side, by the graph that the student has for those."""
        return self._sides[self._default].encode(texts, show_progress=show_progress)


class RoutedOnnxEncoder(_Routed):
    """An `OnnxEncoder` for queries and one for documents, in the folders of these names."""

    def __init__(
        self, path: str, *, threads: int | None = None, token_budget: int | None = None, device: str = "cpu"
    ) -> None:
        super().__init__(_OnnxRoute, path, threads=threads, token_budget=token_budget, device=device)
        self.threads, self.device = threads, device


class RoutedOpenVinoEncoder(_Routed):
    """An `OpenVinoEncoder` for queries and one for documents, in the folders of these names."""

    def __init__(self, path: str, *, threads: int | None = None, token_budget: int = 1024) -> None:
        super().__init__(_OpenVinoRoute, path, threads=threads, token_budget=token_budget)
        self.threads = threads
