"""One thread for FAISS: threads that wait for each other take seconds on a busy machine. And a named PostgreSQL."""

from __future__ import annotations

import faiss
import pytest


@pytest.fixture(autouse=True)
def one_thread() -> None:
    faiss.omp_set_num_threads(1)


@pytest.fixture
def server(postgres: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The address of a PostgreSQL server, which libpq's variables name."""
    from psycopg.conninfo import conninfo_to_dict

    named = conninfo_to_dict(postgres)
    for variable, key in {"PGHOST": "host", "PGUSER": "user", "PGDATABASE": "dbname"}.items():
        monkeypatch.setenv(variable, str(named[key]))
    return postgres
